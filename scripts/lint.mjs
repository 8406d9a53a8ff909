import { setUp } from './set-up.mjs';
import { run } from './run.mjs';

setUp();
const fix = process.argv.includes('--fix');
run(['npx', 'biome', fix ? 'check' : 'ci', ...(fix ? ['--write'] : []), '.']);
run(['npx', 'tsc', '--noEmit', '-p', 'tsconfig.json']);
