/** `attnscope diff`: what differs between two traces of the same input, and where it starts. */
import { resolve } from 'node:path';
import type { Progress } from '../../../contract/api.ts';
import type { HeadDiff, NextTokenDiff, TraceDiff } from '../../../contract/diff.ts';
import { runJob } from '../job.ts';
import { UsageError, table, type Arguments, type Command } from './command.ts';

/** Heads that are printed without --json. */
const mostShown = 20;

export const diff: Command = {
  usage: 'diff A.attntrace B.attntrace [--tolerance P] [--all-rows] [--json]',
  options: { json: { type: 'boolean' }, tolerance: { type: 'string' }, 'all-rows': { type: 'boolean' } },
  run: async (args, terminal) => {
    const [a, b] = args.two('traces').map(file => resolve(file)), tolerance = toleranceOf(args);
    const found = await runJob({ kind: 'diff', a, b, allRows: args.flag('all-rows'), tolerance }, { signal: terminal.signal, onProgress: value => { const { done, total } = value as Progress; terminal.status(`Comparing ${done} of ${total} …`); } }) as TraceDiff;
    terminal.status(undefined);
    terminal.out(args.flag('json') ? JSON.stringify(found) : summary(found));
  },
};

/** A change of a probability: 0 … 1. */
function toleranceOf(args: Arguments): number {
  const given = args.text('tolerance'), value = given === undefined ? 0 : given.trim() === '' ? NaN : Number(given);
  if (!(value >= 0 && value <= 1)) throw new UsageError(`--tolerance must be a change of a probability, 0 to 1; found "${given?.slice(0, 40)}".`);
  return value;
}

function summary(found: TraceDiff): string {
  const models = { same: 'the same model', 'same-graph': 'one graph, other weights', different: 'two graphs' }[found.models];
  const heads = found.worst.slice(0, mostShown).map(place => {
    const site = found.sites.find(one => one.name === place.site)!, head = site.heads.find(one => one.batch === place.batch && one.head === place.head)!;
    return [place.label, ...numbers(head), head.above ? '' : found.tolerance ? 'within' : 'rounding'];
  });
  return [
    found.sentence, '', table([['A', found.a.file], ['B', found.b.file], ['', models]]), ...found.notes,
    ...(heads.length ? ['', table([['head', 'JS', 'KL(A|B)', 'KL(B|A)', 'TV', 'max change', 'top-5', 'output', ''], ...heads]).replace(/ +$/gm, '')] : []),
    ...(found.worst.length > mostShown ? [`and ${found.worst.length - mostShown} more heads (--json has them all)`] : []),
    ...found.next.flatMap(one => ['', ...nextTokens(one, found.next.length > 1)]),
  ].join('\n');
}

function numbers(head: HeadDiff): string[] {
  const number = (value: number | null): string => (value === null ? '∞' : value === 0 ? '0' : value < 1e-3 ? value.toExponential(1) : value.toFixed(4));
  return [number(head.js), number(head.klAB), number(head.klBA), number(head.tv), number(head.maxAbs), head.topKOverlap.toFixed(2), head.outputError === null ? '-' : number(head.outputError)];
}

function nextTokens(next: NextTokenDiff, several: boolean): string[] {
  const share = (value: number | null): string => (value === null ? '-' : `${(value * 100).toFixed(1)}%`), nats = (value: number | null): string => (value === null ? '∞' : value < 1e-3 && value > 0 ? value.toExponential(1) : value.toFixed(4));
  return [
    table([[`next token${several ? ` [${next.batch}]` : ''}`, 'A', 'B'], ...next.tokens.map(({ token, a, b }) => [JSON.stringify(token), share(a), share(b)])]),
    `Only the ${next.stored[0] === next.stored[1] ? next.stored[0] : next.stored.join(' and ')} most likely are stored: ${next.js === null ? 'the two have none in common' : next.tokens.every(({ a, b }) => a === b) ? 'they are equal' : `KL(A|B) is at least ${nats(next.klAB)} nats, KL(B|A) ${nats(next.klBA)}`}.`,
  ];
}
