/** The parts of an export script that are the same for every kind of model: its inputs, the export, the check, the command line. */

/** Ends with sentences, and says what is missing where. `PACKAGES` and `SOURCE` stand before it. */
export const guard = String.raw`
def stop(sentence):
    """Ends the script with a sentence that says what is wrong and what to do."""
    sys.exit(f"{Path(__file__).name}: {sentence}")


try:
    import numpy as np
    import onnxruntime
    import torch
    from torch import nn
    import onnxscript  # noqa: F401 (torch.onnx.export needs it)
except ImportError as error:
    stop(f"{sys.executable} has no {error.name}. Run: {sys.executable} -m pip install {PACKAGES}")


def read_config(options):
    """The values of --config, or of a config.json beside the weights; then those of --set, which win."""
    beside = options.weights and folder_of(options.weights) / "config.json"
    file = options.config or (beside if beside and beside.is_file() else None)
    values = json.loads(file.read_text(encoding="utf-8")) if file else {}
    if not isinstance(values, dict):
        stop(f"{file} must hold one JSON object of names and values.")
    if file:
        print(f"Settings from {file}")
    return values | dict(options.set)


def folder_of(path):
    return path if path.is_dir() else path.parent
`.trim();

/** Imports the source with its package, and builds classes from values. */
export const building = String.raw`
BUILT = {}


def build(what, values, **given):
    """what(**given and those of the values that it takes); asks for what nobody gave."""
    takes = {name: p for name, p in inspect.signature(what).parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    arguments = {name: value for name, value in values.items() if name in takes} | given
    missing = [name for name, p in takes.items() if p.default is p.empty and name not in arguments]
    if missing:
        stop(f"{what.__name__} needs {', '.join(missing)}, and {SOURCE} gives no default. "
             f"Give --set {missing[0]}=VALUE (or --config FILE.json); what is no number or text, write into make_model() of this script.")
    BUILT.update({name: arguments.get(name, p.default) for name, p in takes.items()})
    return what(**arguments)


def fields_of(config):
    return config if isinstance(config, dict) else getattr(config, "__dict__", {})


def refuse_unknown(options, also=()):
    """A mistyped --set must not be passed over."""
    known = {*BUILT, *also}
    unknown = [name for name, _ in options.set if name not in known]
    if unknown:
        stop(f"Nothing takes {unknown[0]} (--set). {SOURCE} has: {', '.join(sorted(known)) or 'no settings'}.")


def read_weights(path):
    """Tensors by name, and the settings that a training script stored beside them, if any."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file
        return load_file(path), {}
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        stop(f"{path} cannot be read as weights ({str(error).splitlines()[0]}). Save the model's state_dict() with torch.save, or as .safetensors, and give that file.")
    inside = lambda *names: next((found[name] for name in names if isinstance(found.get(name), dict)), None)
    tensors = inside("state_dict", "model_state_dict", "model", "module") or found
    return tensors, inside("model_args", "config", "hyper_parameters", "hparams", "args") or {}


def load(model, tensors):
    """Puts the weights into the model; every parameter must get one."""
    own = model.state_dict()
    while not tensors.keys() & own.keys():
        # Wrappers put a prefix before every name: DistributedDataParallel "module.", torch.compile "_orig_mod.", Lightning "model.".
        prefixes = {name.split(".")[0] for name in tensors}
        if len(prefixes) != 1 or not all("." in name for name in tensors):
            stop(f"The weights do not belong to {type(model).__name__}: they have {', '.join(list(tensors)[:3])}, the model has {', '.join(list(own)[:3])}.")
        tensors = {name.split(".", 1)[1]: value for name, value in tensors.items()}
    try:
        extra = model.load_state_dict(tensors, strict=False).unexpected_keys
    except RuntimeError as error:
        stop(f"The weights do not fit {type(model).__name__}: {' '.join(str(error).split())[:400]} Give its sizes with --config FILE.json or --set NAME=VALUE.")
    filled = {p.data_ptr() for name, p in model.named_parameters(remove_duplicate=False) if name in tensors}
    missing = [name for name, p in model.named_parameters() if p.data_ptr() not in filled]
    if missing:
        stop(f"The weights lack {len(missing)} of the parameters of {type(model).__name__}: {', '.join(missing[:3])}. Give the file that belongs to this class.")
    if extra:
        print(f"Not used: {len(extra)} tensors of the weights, such as {extra[0]}")
`.trim();

/** What the inputs hold: asked of the command line, the source, and the layers that read them. */
export const inputs = String.raw`
LAYERS = (nn.Embedding, nn.Linear, nn.LayerNorm, nn.Conv1d, nn.Conv2d)


def first_layer(model, path):
    """The first layer that an input meets: it says what it takes."""
    try:
        part = model.get_submodule(path or "")
    except AttributeError:
        part = model
    return next((layer for layer in part.modules() if isinstance(layer, LAYERS)), None)


def setting(settings, *names):
    return next((settings[name] for name in names if isinstance(settings.get(name), (int, tuple, list))), None)


def settle(model, settings, given):
    """Every input as (kind, axes, number of ids). An axis with a name may have any length, one with a number has this one."""
    inputs = {}
    for name, (kind, axes, path) in INPUTS.items():
        if name in given:
            kind, axes, limit = given[name]
            layer = None
        else:
            limit = None
            layer = first_layer(model, path) if path is not None or not inputs else None
            if kind == "unknown":
                kind, axes = {
                    nn.Embedding: lambda: ("ids", ("batch", "sequence")),
                    nn.Linear: lambda: ("float", ("batch", "sequence", layer.in_features)),
                    nn.LayerNorm: lambda: ("float", ("batch", "sequence", layer.normalized_shape[-1])),
                    nn.Conv1d: lambda: ("float", ("batch", layer.in_channels, "sequence")),
                    nn.Conv2d: lambda: ("image", ()),
                }.get(next((known for known in LAYERS if isinstance(layer, known)), None), lambda: (None, ()))()
                if kind is None:
                    stop(f"What {name} holds cannot be read from {SOURCE}. Give --input {name}=batch,sequence,64:float "
                         "(axes with a name may have any length; the kind is float, ids, ones, zeros, positions, or bool).")
            if kind == "image":
                size = setting(settings, "image_size", "img_size", "input_size", "resolution")
                channels = layer.in_channels if isinstance(layer, nn.Conv2d) else setting(settings, "num_channels", "in_channels", "in_chans", "channels")
                if size is None or channels is None:
                    stop(f"{name} is an image, and its size cannot be read from {SOURCE}. Give --input {name}=batch,3,224,224:float with the model's own numbers.")
                kind, axes = "float", ("batch", channels, *(size if isinstance(size, (tuple, list)) else (size, size)))
        if kind == "ids" and limit is None:
            embedding = layer if isinstance(layer, nn.Embedding) else None
            limit = embedding.num_embeddings if embedding else setting(settings, "vocab_size", "vocabulary_size", "n_vocab", "num_tokens")
            if not isinstance(limit, int):
                stop(f"How many different ids {name} may hold cannot be read from {SOURCE}. Give --input {name}={','.join(map(str, axes))}:ids:NUMBER.")
        inputs[name] = (kind, axes, limit)
        print(f"Input {name}: {kind} [{', '.join(map(str, axes))}]" + (f", ids below {limit}" if limit else "") + (f", as {path or 'the first layer'} ({type(layer).__name__}) takes it" if layer is not None else ""))
    return inputs


def graph_names(inputs):
    """Names of the graph's inputs: forward's own, but token ids are called input_ids, which is what tools know them by."""
    ids = [name for name, (kind, _, _) in inputs.items() if kind == "ids"]
    return {name: "input_ids" if [name] == ids and "input_ids" not in inputs else name for name in inputs}


def example(inputs, batch, length):
    """Random values for every input. Named axes besides the batch get this length; every further name one more, so that none are equal by chance."""
    lengths, made = {"batch": batch}, {}
    for name, (kind, axes, limit) in inputs.items():
        for axis in axes:
            if isinstance(axis, str):
                lengths.setdefault(axis, length + len(lengths) - 1)
        shape = [lengths.get(axis, axis) for axis in axes]
        made[name] = {
            "ids": lambda: torch.randint(0, limit, shape),
            "ones": lambda: torch.ones(shape, dtype=torch.int64),
            "zeros": lambda: torch.zeros(shape, dtype=torch.int64),
            "positions": lambda: torch.arange(shape[-1]).expand(shape).contiguous(),
            "bool": lambda: torch.ones(shape, dtype=torch.bool),
            "float": lambda: torch.randn(shape),
        }[kind]()
    return made
`.trim();

/** Outputs, the export by one of two exporters, and the comparison with PyTorch. */
export const exporting = String.raw`
def tensors(output):
    """What forward returned, by name; what is no tensor (a cache, a loss that is None) is left out, since a graph cannot return it."""
    if isinstance(output, torch.Tensor):
        output = [output]
    elif hasattr(output, "_asdict"):
        output = output._asdict()
    elif dataclasses.is_dataclass(output) and not isinstance(output, dict):
        output = vars(output)
    items = output.items() if isinstance(output, dict) else enumerate(output)
    return {name: value for name, value in items if isinstance(value, torch.Tensor)}


def name_outputs(output, vocabulary):
    """AttnScope reads the next token from an output that is called logits."""
    found = tensors(output)
    if not found:
        stop("forward returns no tensor, so there is nothing to export.")
    names = []
    for at, (name, value) in enumerate(found.items()):
        plain = "logits" if at == 0 and vocabulary and value.shape[-1] == vocabulary else "output" if at == 0 else f"output_{at}"
        names.append(name if isinstance(name, str) else plain)
    return names


def export(model, inputs, made, names, results, options):
    """Writes options.out. The dynamo exporter records for every node which line of Python it comes from; TorchScript is older and takes some models that dynamo does not."""
    dynamic = {name: {at: axis for at, axis in enumerate(axes) if isinstance(axis, str)} for name, (_, axes, _) in inputs.items()}
    called = graph_names(inputs)
    common = dict(input_names=list(called.values()), output_names=names, opset_version=options.opset)
    if options.exporter != "torchscript":
        # One file holds at most 2 GB: the weights of larger models go into a file of their own beside it.
        large = sum(p.numel() * p.element_size() for p in model.parameters()) > 1_800_000_000
        # It warns for every name that two inputs share, as they should.
        warnings.filterwarnings("ignore", message="(?s).*shares the same shape constraints")
        try:
            torch.onnx.export(model, tuple(made.values()), str(options.out), dynamo=True, dynamic_shapes=dynamic, external_data=large, **common)
            return "dynamo"
        except Exception as error:
            if options.exporter == "dynamo":
                raise
            print(f"The dynamo exporter failed ({type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}); TorchScript is tried instead. --exporter dynamo shows all of the failure.")
    lengths = {size: axis for name, axes in dynamic.items() for at, axis in axes.items() for size in [made[name].shape[at]]}
    dynamic = {called[name]: axes for name, axes in dynamic.items()} | {name: {at: lengths[size] for at, size in enumerate(value.shape) if size in lengths} for name, value in zip(names, results)}
    # Folding would store a matrix that reads tokens and predicts them twice.
    torch.onnx.export(model, tuple(made.values()), str(options.out), dynamo=False, dynamic_axes=dynamic, do_constant_folding=False, **common)
    return "TorchScript"


@torch.no_grad()
def check(model, inputs, options):
    """Runs the file in onnxruntime at two sizes that it was not exported with, and compares with PyTorch. Sums in float32 may be taken in another order: 1e-4 of the largest value is allowed."""
    session = onnxruntime.InferenceSession(str(options.out), providers=["CPUExecutionProvider"])
    read = {value.name for value in session.get_inputs()}
    called = graph_names(inputs)
    for name in set(called.values()) - read:
        print(f"The graph does not read {name}: it changes nothing, or was held constant.")
    names = [value.name for value in session.get_outputs()]
    for batch, length in ((1, 5), (3, 11)):
        made = example(inputs, batch, length)
        sizes = ", ".join(f"{name} {list(value.shape)}" for name, value in made.items())
        expected = model(*made.values())
        try:
            found = session.run(None, {called[name]: value.numpy() for name, value in made.items() if called[name] in read})
        except Exception as error:
            stop(f"onnxruntime cannot run {options.out} on {sizes}: {' '.join(str(error).split())[:300]} An axis was fixed by the exporter: try --exporter torchscript.")
        for name, ours, theirs in zip(names, found, expected):
            theirs = theirs.numpy()
            if ours.shape != theirs.shape:
                stop(f"{name} has the shape {list(ours.shape)} in onnxruntime and {list(theirs.shape)} in PyTorch, on {sizes}: try the other --exporter.")
            real = np.isfinite(theirs)
            difference = np.abs(ours[real].astype(np.float64) - theirs[real]).max(initial=0.0)
            allowed = 1e-4 * max(1.0, np.abs(theirs[real]).max(initial=0.0))
            print(f"{name} on {sizes}: differs from PyTorch by at most {difference:.1e} (allowed {allowed:.1e})")
            if not difference <= allowed or not np.array_equal(np.isfinite(ours), real):
                stop(f"{options.out} is not what PyTorch computes: {name} differs by {difference:.1e}. Try the other --exporter, or another --opset.")


def copy_beside(options):
    """What AttnScope reads beside a model: tokenizer.json turns text into ids."""
    places = [folder_of(options.weights)] if options.weights else []
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json", "preprocessor_config.json"):
        given = options.tokenizer if name == "tokenizer.json" else options.config if name == "config.json" else None
        file = given or next((place / name for place in [*places, FOLDER] if (place / name).is_file()), None)
        to = options.out.parent / name
        if file and file.resolve() != to.resolve():
            shutil.copyfile(file, to)
            print(f"Copied {file} to {to}")
        elif name == "tokenizer.json" and not file and not to.is_file() and any(kind == "ids" for kind, _, _ in options.settled.values()):
            print("No tokenizer.json beside the weights or the source: AttnScope will ask for token ids. Give --tokenizer FILE to trace text.")
`.trim();

/** The command line and the order of things. `WEIGHTS` and `OUT` stand before it. */
export const running = String.raw`
def pair(text):
    """NAME=VALUE; the value is a Python literal, true, false, null, or else text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE; found {text}")
    if value in ("true", "false", "null"):
        return name, json.loads(value)
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def shape(text):
    """NAME=AXES[:KIND[:NUMBER OF IDS]] as in x=batch,sequence,64:float."""
    name, _, rest = text.partition("=")
    axes, *kind = rest.split(":")
    kinds = ("float", "ids", "ones", "zeros", "positions", "bool")
    if name not in INPUTS:
        raise argparse.ArgumentTypeError(f"forward is given {', '.join(INPUTS)}; found {name}")
    if not axes or (kind and kind[0] not in kinds):
        raise argparse.ArgumentTypeError(f"must be NAME=AXES:KIND with a kind of {', '.join(kinds)}; found {text}")
    limit = int(kind[1]) if len(kind) > 1 and kind[1].isdigit() else None
    return name, (kind[0] if kind else "float", tuple(int(axis) if axis.isdigit() else axis for axis in axes.split(",")), limit)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help=WEIGHTS)
    parser.add_argument("--random", action="store_true", help="export untrained weights, to try things out")
    parser.add_argument("--out", type=Path, default=OUT, help="the .onnx file to write (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace the file that --out names")
    parser.add_argument("--opset", type=int, default=18, help="ONNX operator set (default: %(default)s; from 23 on attention is one operator)")
    parser.add_argument("--exporter", choices=("auto", "dynamo", "torchscript"), default="auto", help="auto: dynamo, and TorchScript when that fails")
    parser.add_argument("--config", type=Path, help="a JSON file of settings (default: config.json beside the weights)")
    parser.add_argument("--set", action="append", type=pair, default=[], metavar="NAME=VALUE", help="one setting, as often as needed; wins over --config")
    parser.add_argument("--input", action="append", type=shape, default=[], metavar="NAME=AXES:KIND", help="what an input holds, as x=batch,sequence,64:float")
    parser.add_argument("--forward", action="append", type=pair, default=[], metavar="NAME=VALUE", help="a parameter of forward that the graph holds as a constant")
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json to put beside the model (default: the one beside the weights or the source)")
    options = parser.parse_args()
    if not options.weights and not options.random:
        stop(f"Give --weights: {WEIGHTS}. Or --random, to export untrained weights.")
    for file in (options.weights, options.config, options.tokenizer):
        if file and not file.exists():
            stop(f"{file} does not exist.")
    if options.out != OUT and options.out.exists() and not options.overwrite:
        stop(f"{options.out} exists. Give --overwrite to replace it, or another --out.")
    unknown = [name for name, _ in options.forward if name not in FORWARD]
    if unknown:
        stop(f"forward has no {unknown[0]} to hold constant; it has {', '.join(FORWARD) or 'none that needs a value'}.")
    CONSTANTS.update(options.forward)
    for name, value in CONSTANTS.items():
        if value is ...:
            stop(f"forward needs {name}, which is no tensor: the graph holds it as a constant. Give --forward {name}=VALUE.")
    return options


def main():
    options = arguments()
    torch.manual_seed(0)
    if options.random:
        print("The weights are untrained (--random): what the heads attend to means nothing.")
    model, settings = make_model(options)
    model = model.float().eval().requires_grad_(False)
    inputs = options.settled = settle(model, settings, dict(options.input))
    made = example(inputs, 2, 8)
    try:
        output = model(**made, **CONSTANTS)
    except Exception as error:
        traceback.print_exc()
        sizes = ", ".join(f"{name} {list(value.shape)}" for name, value in made.items())
        stop(f"forward does not take {sizes}: {error}. Say what it takes with --input NAME=AXES:KIND, or correct INPUTS and forward in this script.")
    names = name_outputs(output, next((limit for _, _, limit in inputs.values() if limit), None))
    results = list(tensors(output).values())
    model = exported(model)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    how = export(model, inputs, made, names, results, options)
    check(model, inputs, options)
    copy_beside(options)
    print(f"Wrote {options.out} ({options.out.stat().st_size / 1e6:.1f} MB, {how} exporter, opset {options.opset}). In VS Code: Trace Attention over {ATTENTION}.")


if __name__ == "__main__":
    main()
`.trim();
