import { run } from './run.mjs';
import { setUp } from './set-up.mjs';

setUp();
const fix = process.argv.includes('--fix');
run(['npx', 'biome', fix ? 'check' : 'ci', ...(fix ? ['--write'] : []), '.']);
run(['npx', 'tsc', '--noEmit', '-p', 'tsconfig.json']);
