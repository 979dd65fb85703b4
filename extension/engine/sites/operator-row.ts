/** What is known of one attention operator: a row of OPERATORS.md. Types only. */

/** Plain words throughout: this is data that the table, its test and people read. */
export interface OperatorRow {
  /** As `site.operator` and `refused[].operator` spell it, with `ai.onnx.` in front where the domain is empty: `ai.onnx.Attention`. */
  readonly operator: string;
  /** Which forms of it are read, and where q, k, v and the mask come from. */
  readonly recognised: string;
  /** What runs it, in which types; or that nothing does. */
  readonly run: string;
  /** What our numbers are compared with, on fixtures that carry this operator's name; null where it is refused altogether. */
  readonly compared: string | null;
  /** Forms that are refused: what they are, and the whole sentence that a model with one gets. */
  readonly refused: readonly Refusal[];
}
export interface Refusal { readonly form: string; readonly sentence: string }
