/** Names from models and files as code spans of Markdown. */

/** A name from a model or a file, inert in Markdown: no backtick or line break survives in it. */
export function code(name: string): string {
  const plain = name.replace(/[`\p{Cc}\u2028\u2029]/gu, '\u2019');
  return `\`${plain.length > 160 ? `${plain.slice(0, 159)}…` : plain}\``;
}
