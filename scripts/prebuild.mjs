// Puts the built addon where node-gyp-build looks for prebuilt binaries: prebuildify's layout. Its
// own build runs node-gyp; CMake has built the addon already.
import { copyFileSync, mkdirSync } from 'node:fs';
import { root, run } from './run.mjs';

const folder = `${root}/prebuilds/${process.platform}-${process.arch}`;
mkdirSync(folder, { recursive: true });
const target = `${folder}/polydomain.glibc.node`;
copyFileSync(`${root}/build/Release/polydomain.node`, target);
run(['strip', '--strip-unneeded', target]);
