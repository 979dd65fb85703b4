/** Debian's packages that the tests need: looks what is missing, and installs that as root, or says which command would. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BedError, run, say } from './run.mjs';

const library = '/usr/lib/x86_64-linux-gnu';
export const chromium = '/usr/bin/chromium';
/** SwiftShader, which comes with Debian's chromium: a Vulkan driver for machines without a GPU. */
export const swiftshader = '/usr/lib/chromium/vk_swiftshader_icd.json';

function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some(folder => existsSync(join(folder, program)));
}

/** Debian package → whether what we use of it is there already. */
const needs = {
  chromium: () => existsSync(chromium) && existsSync(swiftshader),
  libvulkan1: () => existsSync(`${library}/libvulkan.so.1`),
  'fonts-dejavu-core': () => existsSync('/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf'),
  python3: () => onPath('python3'),
  'python3-venv': async () => { try { await run('python3', ['-c', 'import venv, ensurepip']); return true; } catch { return false; } },
  make: () => onPath('make'),
  'g++': () => onPath('g++'),
};

/** What is missing among `names` (all by default), as Debian package names. */
export async function missingPackages(names = Object.keys(needs)) {
  const missing = [];
  for (const name of names) if (!(await needs[name]())) missing.push(name);
  return missing;
}

/** Makes sure that the packages are installed. Throws a sentence where it cannot. */
export async function ensureSystem(names = Object.keys(needs)) {
  const missing = await missingPackages(names);
  if (missing.length === 0) return;
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  if (process.platform !== 'linux' || !onPath('apt-get') || process.getuid?.() !== 0) {
    throw new BedError(`These are missing here: ${missing.join(', ')}. Install them first (on Debian, as root: apt-get ${install.join(' ')}).`);
  }
  say(`bed: installing Debian packages: ${missing.join(' ')} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update'], { env });
  await run('apt-get', install, { env });
  const still = await missingPackages(names);
  if (still.length > 0) throw new BedError(`apt-get installed ${missing.join(', ')}, but ${still.join(', ')} cannot be found afterwards.`);
}
