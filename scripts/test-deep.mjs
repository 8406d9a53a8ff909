// Sanitizers, and every SIMD level that this machine supports.
import { execFileSync } from 'node:child_process';
import { build, configure } from './build.mjs';
import { root, run } from './run.mjs';

build();
for (const preset of ['asan-ubsan', 'tsan']) {
  configure(preset);
  run(['ctest', '--preset', preset]);
}
const report = execFileSync('node', ['dist/esm/cli/main.js', 'doctor', '--json'], { cwd: root });
for (const level of JSON.parse(String(report)).simdSupported) {
  console.error(`SIMD level ${level}`);
  run(['ctest', '--preset', 'release'], { POLYDOMAIN_SIMD: level });
}
