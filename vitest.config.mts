/** Vitest: every suite that needs no workbench. Files run in processes of their own, since native code may end one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const python = join(import.meta.dirname, '.cache/venv/bin/python');
/** SwiftShader out of Debian's chromium: WGSL on machines without a GPU. */
const swiftshader = '/usr/lib/chromium/vk_swiftshader_icd.json';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    pool: 'forks',
    maxWorkers: 2,
    // A guard against hanging, not a measure of speed: machines with two cores may be doing something else as well.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    env: {
      ...(process.env.ATTNSCOPE_PYTHON === undefined && existsSync(python) ? { ATTNSCOPE_PYTHON: python } : {}),
      ...(process.env.VK_ICD_FILENAMES === undefined && existsSync(swiftshader) ? { VK_ICD_FILENAMES: swiftshader } : {}),
    },
  },
});
