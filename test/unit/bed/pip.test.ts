/** What goes wrong while Python packages and the real model are made, in sentences. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkDisk, pip, pipFailure } from '../../bed/pip.mjs';
import { makeFailure } from '../../smollm2/model.mjs';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-pip-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('pip', () => {
  it.each([
    ['ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device', 'The disk became full while pip installed torch==1. Free some space and run this again.'],
    ['ERROR: Could not find a version that satisfies the requirement torch==1\nERROR: No matching distribution found for torch==1', 'pip found no torch==1 for this Python and machine. Its index may lack it, or this Python is too old or too new: 3.10 to 3.13 is known to work.'],
    ['WARNING: Retrying after connection broken by NewConnectionError\nERROR: No matching distribution found for torch==1', 'pip could not reach its package index for torch==1. Check the network and pip\'s settings (pip config list), and run this again.'],
    ['/usr/bin/python3: No module named pip', 'This Python has no pip. Install it (Debian: python3-pip and python3-venv).'],
    ['pip ended with SIGKILL.', 'pip was ended while it installed torch==1: it took over 30 minutes, or memory ran out. Run this again; what was downloaded is kept.'],
    ['pip ended with 1.\nERROR: something else\n[notice] A new release of pip is available', 'pip could not install torch==1: ERROR: something else'],
  ])('%s', (text, sentence) => expect(pipFailure(text, ['--only-binary=:all:', 'torch==1']).message).toBe(sentence));
  it('a Python that is not there', async () => {
    await expect(pip(join(folder, 'no-python'), ['torch==1'])).rejects.toThrow(/^pip could not install torch==1: .*no-python could not be started/);
  });
  it('a disk that is too small is told before anything is downloaded', () => {
    expect(() => checkDisk(folder, 1e18, 'PyTorch')).toThrow(/^PyTorch takes 1000000000\.0 GB, and .* has \d+\.\d GB left\. Free some space, or put the checkout on a larger disk\.$/);
    expect(() => checkDisk(folder, 1, 'PyTorch')).not.toThrow();
  });
});

it.each([
  ['Traceback\nModuleNotFoundError: No module named \'torch\'', 'The Python with PyTorch has no torch. Unset ATTNSCOPE_TORCH_PYTHON, or install torch into it.'],
  ['OSError: [Errno 28] No space left on device', /^The disk became full while SmolLM2 was made in .*\. Free 3 GB and run this again\.$/],
  ['make.py ended with SIGKILL.', 'Memory ran out while SmolLM2 was made: it takes 4 GB. Close other programs and run this again.'],
  ['Traceback\nAssertionError: logits differ from PyTorch\'s by 1.0', 'SmolLM2 could not be made: AssertionError: logits differ from PyTorch\'s by 1.0'],
])('making the model: %s', (text, sentence) => { const { message } = makeFailure(text); if (typeof sentence === 'string') expect(message).toBe(sentence); else expect(message).toMatch(sentence); });
