import { build } from './build.mjs';
import { run } from './run.mjs';

build();
run(['node', 'dist/esm/cli/main.js', 'demo', ...process.argv.slice(2)]);
