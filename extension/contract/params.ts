/** One description of a tunable, from which forms, settings, validation and docs are drawn. */

export type Param = { readonly label: string; readonly help: string } & (
  | { readonly kind: 'int' | 'float'; readonly default: number; readonly min: number; readonly max: number }
  | { readonly kind: 'choice'; readonly default: string; readonly options: readonly string[] }
  | { readonly kind: 'text'; readonly default: string }
  | { readonly kind: 'flag'; readonly default: boolean }
);
export type Params = Readonly<Record<string, Param>>;
export type Values<P extends Params> = {
  readonly [K in keyof P]: P[K] extends { kind: 'flag' } ? boolean
    : P[K] extends { kind: 'choice'; options: readonly (infer Option)[] } ? Option
    : P[K] extends { kind: 'text' } ? string
    : number;
};

/** What every registered thing says about itself. Plain data: it crosses every boundary. */
export interface Card<P extends Params = Params> {
  readonly title: string;
  /** One sentence a user can act on. */
  readonly summary: string;
  /** First author, year, arXiv id; empty when it is ours. */
  readonly cite: string;
  readonly params: P;
}
