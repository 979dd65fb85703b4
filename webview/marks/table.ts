/** A map as comma-separated values: one line a query, one column a key; hidden cells are empty. */

/** Beyond this many cells nobody opens a table. */
export const mostTableCells = 1_000_000;

export interface Table { readonly title: string; readonly rows: readonly string[]; readonly cols: readonly string[]; /** [row, col]. */ readonly data: Float32Array }

/** Labels begin with their position, so that no cell begins with a formula; the title stands behind `#`. */
export function tableText({ title, rows, cols, data }: Table): string {
  const lines = [quoted(`# ${title}`), ['query', ...cols.map(quoted)].join()];
  rows.forEach((label, i) => lines.push([quoted(label), ...Array.from(data.subarray(i * cols.length, (i + 1) * cols.length), value => (Number.isNaN(value) ? '' : String(Number(value.toPrecision(7)))))].join()));
  return `${lines.join('\n')}\n`;
}

function quoted(text: string): string { return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; }
