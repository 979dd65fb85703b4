/** The demo workspace as a person gets it: a copy, so that nothing that is tried there touches the checkout. */
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './run.mjs';

/** Copies media/demo (without what trains it) to `folder`; files keep their dates, so a second copy makes nothing look changed. */
export function copyDemo(folder) {
  const from = join(root, 'media/demo');
  mkdirSync(folder, { recursive: true });
  cpSync(from, folder, { recursive: true, preserveTimestamps: true, filter: path => !/^(train|__pycache__)(\/|$)/.test(relative(from, path)) });
  return folder;
}

/** 1-based line of model.py on which its attention class starts. */
export function attentionLine() {
  const lines = readFileSync(join(root, 'media/demo/model.py'), 'utf8').split('\n');
  return lines.findIndex(line => /^class Attention\b/.test(line)) + 1;
}
