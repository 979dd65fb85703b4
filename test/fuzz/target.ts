/** What is fuzzed: files of a kind, ways to break one, and what is then done with it. */
import type { Engine } from '../../extension/children/engine.ts';
import type { Dice } from './mutate.ts';

export interface Target {
  readonly name: string;
  /** Of all mutants, so many belong to this target. */
  readonly share: number;
  /** Whole files to start from. */
  readonly seeds: readonly Seed[];
  mutate(seed: Buffer, dice: Dice): { readonly how: string; readonly bytes: Buffer };
  /** Where the mutant is written, in a folder of its own that `prepare` filled. */
  readonly file: string;
  prepare(folder: string): void;
  /** Does what a person would. Errors: whatever comes of it. `running`: a model that was believed is being run, natively. */
  use(engine: Engine, folder: string, seed: Seed, running: (yes: boolean) => void): Promise<void>;
}

/** `inputs`: a file of inputs that the whole file can be run on. */
export interface Seed { readonly bytes: Buffer; readonly inputs?: string }
