// Installs what the build needs and is not there: system packages by apt, node modules by npm.
// Uses Node's own modules only, as it runs before anything is installed.
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { root, run } from './run.mjs';

const packages = {
  'g++': 'g++',
  cmake: 'cmake',
  ninja: 'ninja-build',
  'clang-format': 'clang-format',
};
/** What only tests need: pages are opened in it. */
const testPackages = { chromium: 'chromium' };
const headers = {
  '/usr/include/hwy/highway.h': 'libhwy-dev',
  '/usr/include/gtest/gtest.h': 'libgtest-dev',
  '/usr/include/benchmark/benchmark.h': 'libbenchmark-dev',
};

function onPath(command) {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function setUp({ tests = false } = {}) {
  if (onPath('apt-get')) {
    const missing = [
      ...Object.entries({ ...packages, ...(tests && testPackages) }).filter(
        ([command]) => !onPath(command),
      ),
      ...Object.entries(headers).filter(([file]) => !existsSync(file)),
    ].map(([, name]) => name);
    if (missing.length > 0) {
      console.error(`set-up: installing ${missing.join(', ')} with apt`);
      const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
      const apt = (...args) => run([...sudo, 'apt-get', ...args]);
      apt('update', '-qq');
      apt('install', '-y', '-qq', '--no-install-recommends', ...missing);
    }
  }
  const marker = `${root}/node_modules/.package-lock.json`;
  const lock = `${root}/package-lock.json`;
  if (!existsSync(marker) || statSync(marker).mtimeMs < statSync(lock).mtimeMs) {
    console.error('set-up: npm ci');
    run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  setUp({ tests: true });
}
