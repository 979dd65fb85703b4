/** Python that builds a Hugging Face model, from a folder or untrained. */
import type { ModelFacts } from './facts.ts';
import { importSource } from './python-import.ts';
import { quoted, type ScriptParts, type ScriptPlace } from './recipe.ts';

/** What the recipes for transformers share; `inputs` is theirs. */
export function pretrainedParts(facts: ModelFacts, place: ScriptPlace, inputs: ScriptParts['inputs']): ScriptParts {
  const name = facts.model.cls.name, axes = [...new Set(inputs.flatMap(input => input.axes.length > 0 ? input.axes : ['batch']))];
  return {
    packages: ['torch', 'transformers', 'onnx', 'onnxscript', 'onnxruntime'],
    weights: 'a folder with config.json and weights, as save_pretrained writes it',
    built: `${name}.from_pretrained(FOLDER)${facts.library ? ', or the class that its config.json names' : ''}; with --random from a config alone.`,
    inputs, axes,
    imports: facts.library ? [] : ['importlib'],
    make: `${facts.library ? libraryClass(name) : ownClass(facts, place)}


def make_model(options):
    """The model in float32, without a key-value cache: AttnScope looks at one pass over the whole text. Attention stays what the library chooses."""
    values = read_config(options)
    known = model_class(options)
    if options.weights:
        if not (options.weights / "config.json").is_file():
            stop(f"{options.weights} must be a folder with a config.json, as save_pretrained writes it.")
        if options.set or options.config:
            stop("The weights bring their own config.json: --set and --config go with --random.")
        model = known.from_pretrained(options.weights)
    else:
        if not values:
            stop("--random needs the sizes of the model, since the library's own are large: give --config FILE.json, or --set num_hidden_layers=2 and so on.")
        settings = known.config_class
        model = known(settings(**{key: value for key, value in values.items() if key not in ("architectures", "model_type", "transformers_version")}))
    model.config.use_cache = False
    return model, vars(model.config)`,
  };
}

function libraryClass(name: string): string {
  return `def model_class(options):
    """${name}, or the class of the same library that the weights say they are of."""
    import transformers
    name = ${quoted(name)}
    file = options.weights and options.weights / "config.json"
    said = json.loads(file.read_text(encoding="utf-8")).get("architectures") if file and file.is_file() else None
    if said and said[0] != name:
        print(f"The weights are of {said[0]}, which is exported instead of {name}.")
        name = said[0]
    found = getattr(transformers, name, None)
    return found or stop(f"transformers {transformers.__version__} in {sys.executable} has no class {name}. Install the version that wrote the weights.")`;
}

function ownClass(facts: ModelFacts, place: ScriptPlace): string {
  const { config } = facts.constructor, name = facts.model.cls.name;
  const own = config?.as !== undefined && !/^(PretrainedConfig|PreTrainedConfig)$/.test(config.as.split('.').at(-1) ?? '');
  return `${importSource(facts, place)}


def model_class(options):
    """${name} of the source.${own ? ` Its config is a ${config.as}.` : ''}"""
    source = source_module()
    found = source.${name}${own ? `
    if found.config_class is None:
        found.config_class = source.${config.as}` : `
    if found.config_class is None:
        stop("${name} does not say which class its config is of: write config_class = … into it.")`}
    return found`;
}
