/** The walkthrough: five steps from a model to a head and back to the source; its pictures are made by test/workbench/pictures.mjs. */

export const walkthroughId = 'start';

interface Step {
  readonly title: string;
  /** Lines with a link alone become buttons. */
  readonly lines: readonly string[];
  /** What the picture shows, for those who do not see it. */
  readonly alt: string;
  /** What checks the step off; without, its button does. */
  readonly done?: readonly string[];
}

/** By id, which is also the name of the picture. */
export const steps = {
  model: {
    title: 'Open a model',
    lines: [
      'Open the folder that holds your PyTorch source and its ONNX export: nothing has to be exported again. Or begin with the demo, a small language model with both.',
      '[Open Demo](command:attnscope.openDemo)',
      '[Open Folder](command:workbench.action.files.openFolder)',
    ],
    alt: 'model.py of the demo: over the class Attention stands the lens Trace Attention',
    done: ['onCommand:attnscope.openDemo', 'onCommand:workbench.action.files.openFolder', 'onContext:attnscope.traced'],
  },
  trace: {
    title: 'Trace attention',
    lines: [
      'Click **Trace Attention** over an attention class, and type what the model should read. It runs once, on this machine; nothing leaves it.',
      '[Trace Attention](command:attnscope.trace)',
      'Selected text is taken as the prompt. An `.onnx` file in the Explorer can be traced from its context menu.',
    ],
    alt: 'The box that asks for the prompt, with a text in it and "trace this" below',
    done: ['onContext:attnscope.traced'],
  },
  overview: {
    title: 'Read the overview',
    lines: [
      'Every head is a thumbnail. The parity badge says how well each site was recomputed from what is stored. **What stands out** gives sinks, previous-token and induction heads, each with its threshold.',
      '[Open Trace…](command:attnscope.openTrace)',
    ],
    alt: 'The overview of a trace: a thumbnail of every head, layer by layer, and the numbers of the head under the mouse',
    done: ["onContext:activeCustomEditorId == 'attnscope.trace'"],
  },
  head: {
    title: 'Look into one head',
    lines: [
      'Click a thumbnail, or type `L4H7`. Rows are queries, columns are keys. Hover a cell for its probability and the text around both tokens; zoom with the wheel, drag to pan.',
      '[Open Trace…](command:attnscope.openTrace)',
    ],
    alt: 'One head in full: an induction head, with the query under the mouse and the keys it attends to',
  },
  source: {
    title: 'Go back to the source',
    lines: [
      'The lens now reads what was measured, and a hover over the class shows its heads. Export again, and both say **stale**: one click traces the new model with the same prompt.',
      '[Let it trace again by itself](command:workbench.action.openSettings?%5B%22attnscope.retraceOnChange%22%5D)',
    ],
    alt: 'model.py again: a hover over the class Attention shows its sites, sink heads, parity and a thumbnail of every head',
    done: ['onCommand:attnscope.openHead', 'onCommand:workbench.action.openSettings'],
  },
} as const satisfies Readonly<Record<string, Step>>;

/** contributes.walkthroughs. */
export function walkthroughs(): readonly unknown[] {
  return [{
    id: walkthroughId, title: 'Debug attention with AttnScope', description: 'From a model to its heads, and back to your Python.',
    steps: Object.entries<Step>(steps).map(([id, { title, lines, alt, done }]) => ({
      id, title, description: lines.join('\n'), media: { image: pictures(id), altText: alt }, ...(done ? { completionEvents: done } : {}),
    })),
  }];
}

/** One picture a theme; high contrast takes that of its ground. */
function pictures(id: string): Readonly<Record<string, string>> {
  const [dark, light] = ['dark', 'light'].map(theme => `media/walkthrough/${id}-${theme}.png`);
  return { dark, light, hc: dark, hcLight: light };
}
