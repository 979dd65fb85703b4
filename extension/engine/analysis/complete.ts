/** Completes a capture into a trace: masks, missing statistics, parity, metrics, verdicts, header; published whole or not at all. */
import { rmSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Captured, Progress } from '../../contract/api.ts';
import { formatVersion, type HeadStats, type Manifest, type MaskRule, type Parity, type SiteHealth } from '../../contract/trace.ts';
import { measureParity } from '../compute/parity.ts';
import { pause } from '../compute/turns.ts';
import type { CaptureIndex, StoredTensor } from '../trace/capture.ts';
import { PartWriter, captureFiles, discardCapture, readIndex, writeFailure } from '../trace/part-writer.ts';
import { encodeHeader, openForReading } from '../trace/safetensors.ts';
import { checkFit } from '../trace/shapes-fit.ts';
import { TensorStore } from '../trace/tensor-store.ts';
import { verdicts } from '../verdicts/registry.ts';
import { siteHealth } from './health.ts';
import { measureHeads } from './measure-heads.ts';
import { maskBook } from './site-masks.ts';
import { siteStatistics } from './site-statistics.ts';
import { keepPattern } from './keep-pattern.ts';

export interface Hooks { readonly progress?: (progress: Progress) => void; readonly signal?: AbortSignal }

/** Errors: UserError (disk full, no capture), Cancelled. Whatever fails, nothing is left beside `out`, and an older trace there stays. */
export async function completeCapture({ out }: Pick<Captured, 'out'>, hooks: Hooks = {}): Promise<{ readonly file: string; readonly manifest: Manifest }> {
  const opened: { close(): void }[] = [];
  let flushing: Promise<void> | undefined;
  try {
    const index = readIndex(out), tensors = new Map(Object.entries(index.tensors));
    const store = new TensorStore(index.part, openForReading(index.part), tensors);
    opened.push(store);
    const side = new TensorStore(index.side, openForReading(index.side), new Map(Object.entries(index.sideTensors)));
    opened.push(side);
    const writer = PartWriter.resume(index.part, index.tensors, index.headerSpace);
    opened.push(writer);
    // The disk works on what the runner wrote while the statistics are made; the flush at the end is then short.
    flushing = writer.sync().catch(() => undefined);
    const manifest = await fill(index, { store, side, writer, tensors }, hooks);
    hooks.progress?.({ phase: 'write' });
    await publish(index, writer, manifest, side);
    return { file: out, manifest };
  } finally {
    await flushing;
    for (const one of opened) one.close();
    discardCapture(out);
  }
}

interface Files { readonly store: TensorStore; readonly side: TensorStore; readonly writer: PartWriter; /** The store's own map: what the writer appends is added. */ readonly tensors: Map<string, StoredTensor> }

async function fill(index: CaptureIndex, files: Files, { progress, signal }: Hooks): Promise<Manifest> {
  const started = performance.now(), { store, side, writer, tensors } = files, between = (): Promise<void> => pause(signal), masks = maskBook(index, side, writer, between);
  const seqToSeq = index.sites.some(({ site }) => site.stack === 'decoder');
  const rules: Record<string, MaskRule> = {}, parity: Record<string, Parity> = {}, emptyRows: Record<string, number> = {}, heads: Record<string, HeadStats[]> = {};
  const evenEntropy: Record<string, number[]> = {}, notFinite: Record<string, number> = {}, health: Record<string, SiteHealth> = {}, sites = [];
  for (const [n, capture] of index.sites.entries()) {
    progress?.({ phase: 'statistics', done: n, total: index.sites.length });
    await between();
    const { name } = capture.site, { view, rule } = await masks.view(capture, store);
    checkFit(view, capture, side);
    sites.push(view.site);
    rules[name] = rule;
    const statistics = await siteStatistics({ view, capture, index, side, writer, tensors, seqToSeq, between });
    emptyRows[name] = statistics.emptyRows;
    evenEntropy[name] = statistics.evenEntropy;
    notFinite[name] = statistics.notFinite;
    heads[name] = view.from === 'nothing' ? [] : await measureHeads(view, statistics, index.input, between);
    health[name] = await siteHealth(view, statistics, index.input, heads[name], between);
    parity[name] = await measureParity({ view, capture, side, live: b => statistics.live(b, 0), between });
    if (index.keepPattern && view.from === 'qk' && !tensors.has(`${name}.hook_pattern`)) await keepPattern(view, writer, between);
  }
  progress?.({ phase: 'statistics', done: index.sites.length, total: index.sites.length });
  const manifest = {
    formatVersion, model: index.model, created: new Date().toISOString(), input: index.input, sites, ...(index.kept ? { kept: index.kept } : {}), masks: rules, parity, emptyRows, next: index.next, ...(index.generated ? { generated: index.generated } : {}),
    filledInputs: index.filledInputs, device: index.device, runtime: index.runtime, timesMs: { ...index.timesMs, statistics: Number((performance.now() - started).toFixed(1)) }, heads,
    ...(index.expected ? { expected: index.expected } : {}), health: { sites: health, ...(index.logits ? { logits: index.logits } : {}) },
  };
  const judged = { manifest, evenEntropy, notFinite };
  return { ...manifest, verdicts: verdicts.toSorted((a, b) => Number(a.always ?? false) - Number(b.always ?? false)).flatMap(rule => rule.judge(judged)).sort((a, b) => urgency[a.level] - urgency[b.level]) };
}

const urgency = { warning: 0, notice: 1, info: 2 } as const;

/** Header in front, everything on the disk, then the name. */
async function publish(index: CaptureIndex, writer: PartWriter, manifest: Manifest, side: TensorStore): Promise<void> {
  const metadata = { attnscope: JSON.stringify(manifest) }, header = encodeHeader(writer.tensors, metadata, index.headerSpace, index.headerSpace);
  if (header) {
    writer.writeHeader(header);
    // Nobody reads the side file any more; the system takes a while to give up a large file, and does so while the trace is flushed.
    await Promise.all([writer.sync(), unlink(index.side).catch(() => undefined).then(() => side.closeBehind())]);
    await moveInPlace(index.part, index.out);
    return;
  }
  // More heads or tokens than the runner reckoned with: the data moves behind a longer header.
  await writer.sync();
  const roomy = encodeHeader(writer.tensors, metadata, index.headerSpace)!, wider = captureFiles(index.out).side;
  try {
    rmSync(wider, { force: true });
    const shift = PartWriter.create(wider, roomy.byteLength);
    try {
      copyBehind(index.part, shift, writer.tensors);
      shift.writeHeader(roomy);
      await shift.sync();
    } finally { shift.close(); }
  } catch (error) { throw writeFailure(wider, error); }
  await moveInPlace(wider, index.out);
}

/** Copies every tensor, in the order in which they lie. */
function copyBehind(from: string, to: PartWriter, tensors: Readonly<Record<string, StoredTensor>>): void {
  const reader = new TensorStore(from, openForReading(from), new Map(Object.entries(tensors)));
  try {
    for (const [name, { dtype, shape, length }] of Object.entries(tensors).sort((a, b) => a[1].offset - b[1].offset)) {
      to.reserve(name, dtype, shape);
      const elements = shape.reduce((a, b) => a * b, 1), size = elements ? length / elements : 1, step = 2 ** 24;
      for (let at = 0; at < elements; at += step) to.write(name, at * size, reader.raw(name, at, Math.min(step, elements - at)));
    }
  } finally { reader.close(); }
}

async function moveInPlace(from: string, to: string): Promise<void> {
  try { await rename(from, to); } catch (error) { throw writeFailure(to, error); }
  // The name itself is on the disk only when its folder is; some systems cannot open folders, and need not.
  const folder = await open(dirname(to), 'r').catch(() => undefined);
  try { await folder?.sync(); } catch { /* the file is whole either way */ } finally { await folder?.close(); }
}
