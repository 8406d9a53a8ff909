import { build } from './build.mjs';
import { run } from './run.mjs';

build();
run(['ctest', '--preset', 'release']);
run(['npx', 'vitest', 'run']);
