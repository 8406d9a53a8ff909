import { build } from './build.mjs';
import { run } from './run.mjs';
import { setUp } from './set-up.mjs';

setUp({ tests: true });
build();
run(['ctest', '--preset', 'release']);
run(['npx', 'vitest', 'run']);
