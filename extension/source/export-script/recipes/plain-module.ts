/** A torch.nn.Module in somebody's own file: imported with its package, built from its constructor's arguments or its config class. */
import type { ModelFacts } from '../facts.ts';
import { importSource } from '../python-import.ts';
import { building } from '../python-parts.ts';
import type { Recipe } from '../recipe.ts';

export const plainModule: Recipe = {
  id: 'plain-module',
  claims: facts => !facts.pretrained,
  parts(facts, place) {
    const name = facts.model.cls.name, { config, parameters } = facts.constructor;
    return {
      packages: ['torch', 'onnx', 'onnxscript', 'onnxruntime', 'safetensors'],
      weights: 'a state dict of this class: .pt, .pth, .bin, or .safetensors',
      built: built(facts),
      inputs: facts.inputs,
      imports: ['importlib', 'inspect'],
      axes: [...new Set(facts.inputs.flatMap(input => input.axes.length > 0 ? input.axes : ['batch']))],
      make: `${importSource(facts, place)}


${building}


def make_model(options):
    """${config ? `${name} built from its ${config.name}` : parameters.length > 0 ? `${name}(${parameters.map(p => p.name).join(', ')})` : `${name}()`}, with its weights. Values: --set, then --config, then what was stored beside the weights, then the defaults of the source."""
    carried, tensors = {}, {}
    if options.weights:
        tensors, carried = read_weights(options.weights)
    values = {**carried, **read_config(options)}
    source = source_module()
${construction(facts)}
    if options.weights:
        load(model, tensors)
    return model, {**values, **BUILT, **fields_of(${config ? 'config' : 'getattr(model, "config", None)'})}`,
    };
  },
};

function construction(facts: ModelFacts): string {
  const name = `source.${facts.model.cls.name}`, { config } = facts.constructor;
  if (!config) return `    model = build(${name}, values)
    refuse_unknown(options)`;
  if (config.factory !== undefined) return `    config = ${name}.${config.factory}()
    for key, value in values.items():
        setattr(config, key, value)
    model = build(${name}, values, ${config.name}=config)
    refuse_unknown(options, vars(config))`;
  if (config.as !== undefined) return `    config = build(source.${config.as}, values)
    model = build(${name}, values, ${config.name}=config)
    refuse_unknown(options)`;
  return `    # The source does not say which class ${config.name} is of: an object with the values of --config and --set stands in for it.
    config = SimpleNamespace(**values)
    try:
        model = build(${name}, values, ${config.name}=config)
    except AttributeError as error:
        if not str(error).startswith("'types.SimpleNamespace'"):
            raise
        stop(f"${facts.model.cls.name} reads ${config.name}.{error.name}, and nobody gave it. Give --set {error.name}=VALUE, or all of them with --config FILE.json.")`;
}

function built(facts: ModelFacts): string {
  const { config, parameters } = facts.constructor, name = facts.model.cls.name;
  const needs = (names: readonly string[]): string => names.length > 0 ? ` Without a default: ${names.join(', ')}.` : '';
  if (!config) return parameters.length === 0 ? `${name}().` : `${name}(${parameters.map(p => p.name).join(', ')}), by --set NAME=VALUE or --config FILE.json.${needs(parameters.filter(p => p.fallback === undefined).map(p => p.name))}`;
  if (config.factory !== undefined) return `${name} on what ${name}.${config.factory}() gives, changed by --set NAME=VALUE or --config FILE.json.`;
  if (config.as === undefined) return `${name} on a ${config.name} whose class the source does not name: its values are asked for, by --set NAME=VALUE or --config FILE.json.`;
  return `${name} on ${config.as}(…), changed by --set NAME=VALUE or --config FILE.json.${needs((config.ref?.cls.fields ?? []).filter(field => field.fallback === undefined && !/^(typing\.)?ClassVar\b/.test(field.annotation)).map(field => field.name))}`;
}
