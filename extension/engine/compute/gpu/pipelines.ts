/** Compute pipelines, cached by the text that is compiled, its entry and its constants. */
import type { ShaderText } from './shader-text.ts';

/** GPUShaderStage.COMPUTE, which Node does not have as a global. */
const compute = 4;

export class Pipelines {
  readonly #known = new Map<string, Promise<GPUComputePipeline>>();
  readonly #device: GPUDevice;
  constructor(device: GPUDevice) { this.#device = device; }

  get(file: string, shader: ShaderText, entryPoint: string, constants: Readonly<Record<string, number>>): Promise<GPUComputePipeline> {
    const key = JSON.stringify([entryPoint, Object.entries(constants).sort(), shader.text]);
    let made = this.#known.get(key);
    if (!made) {
      made = compile(this.#device, file, shader, entryPoint, constants);
      this.#known.set(key, made);
      // What failed for want of memory may work later.
      made.catch(() => this.#known.delete(key));
    }
    return made;
  }
}

async function compile(device: GPUDevice, file: string, { text: code, bindings }: ShaderText, entryPoint: string, constants: Readonly<Record<string, number>>): Promise<GPUComputePipeline> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code, label: file }), { messages } = await module.getCompilationInfo();
  await device.popErrorScope();
  const error = messages.find(({ type }) => type === 'error');
  if (error) throw new Error(`${file} does not compile: ${error.message} (line ${error.lineNum} of the expanded text)\n    ${code.split('\n')[error.lineNum - 1] ?? ''}`);
  // Every entry gets every binding of its file, used or not.
  const group = device.createBindGroupLayout({ entries: bindings.map((type, binding) => ({ binding, visibility: compute, buffer: { type } })) });
  try {
    return await device.createComputePipelineAsync({ layout: device.createPipelineLayout({ bindGroupLayouts: [group] }), label: file, compute: { module, entryPoint, constants } });
  } catch (error) {
    throw new Error(`${file} cannot be made into a pipeline with ${JSON.stringify(constants)}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
