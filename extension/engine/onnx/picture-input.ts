/** The inputs of a graph that must be fed, and the one among them that takes pictures. */
import type { Model, ValueInfo } from './model.ts';

/** An initializer of the same name is a default. */
export function openInputs({ graph }: Pick<Model, 'graph'>): readonly ValueInfo[] { return graph.inputs.filter(input => !graph.initializers.has(input.name)); }

/** The input that takes pixels [batch, 3, height, width], if there is one. */
export function pictureInput(model: Pick<Model, 'graph'>): ValueInfo | undefined {
  const open = openInputs(model), pictures = open.filter(({ type, dims }) => floats.has(type ?? 1) && dims?.length === 4 && (typeof dims[1] !== 'number' || dims[1] === 3));
  return pictures.find(({ name }) => name === 'pixel_values') ?? pictures.find(({ name }) => /pixel|image|img/i.test(name)) ?? (open.length === 1 ? pictures[0] : undefined);
}

const floats = new Set([1, 10, 11]);
