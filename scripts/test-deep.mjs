// Sanitizers, every SIMD level that this machine supports, and the builds of the benchmarks and the
// CUDA plugin.
import { execFileSync, spawnSync } from 'node:child_process';
import { build, configure } from './build.mjs';
import { root, run } from './run.mjs';

const vitest = ['node', 'node_modules/vitest/vitest.mjs', 'run'];

build();
configure('benchmarks');
if (spawnSync('nvcc', ['--version']).status === 0) {
  run(['cmake', '--preset', 'cuda']);
  run(['cmake', '--build', '--preset', 'cuda']);
} else {
  console.error('nvcc was not found: the CUDA plugin is not compiled');
}
for (const preset of ['asan-ubsan', 'tsan']) {
  configure(preset);
  run(['ctest', '--preset', preset]);
}

// What starts processes of its own, or measures memory, is left out under AddressSanitizer.
const own = [
  'test/package.test.ts',
  'test/cli/**',
  'test/report/page.test.ts',
  'test/train/{device,leak,responsiveness,bounded-memory}.test.ts',
];
const asan = String(execFileSync('g++', ['-print-file-name=libasan.so'])).trim();
run([...vitest, '--testTimeout=120000', ...own.flatMap((file) => ['--exclude', file])], {
  LD_PRELOAD: asan,
  // Node itself frees little at its end; ctest looks for leaks.
  ASAN_OPTIONS: 'detect_leaks=0',
  POLYDOMAIN_ADDON: `${root}/build/asan-ubsan/polydomain.node`,
});

const report = execFileSync('node', ['dist/esm/cli/main.js', 'doctor', '--json'], { cwd: root });
for (const level of JSON.parse(String(report)).simdSupported) {
  console.error(`SIMD level ${level}`);
  run(['ctest', '--preset', 'release'], { POLYDOMAIN_SIMD: level });
  run([...vitest, 'test/tensor', 'test/optim', 'test/models', 'test/strategies'], {
    POLYDOMAIN_SIMD: level,
  });
}
