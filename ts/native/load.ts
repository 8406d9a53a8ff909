import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as errors from '../errors.js';
import type { Addon } from './addon.js';

const require = createRequire(import.meta.url);

/** The folder that holds package.json: the addon lies below it, wherever this file was built to. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (folder !== dirname(folder)) {
    try {
      const manifest = require(`${folder}/package.json`) as { name?: string };
      if (manifest.name === 'polydomain') return folder;
    } catch {
      // No package.json here: look one folder up.
    }
    folder = dirname(folder);
  }
  throw new errors.LoadError('the package.json of polydomain was not found above its code');
}

/** The version that package.json says. */
export function libraryVersion(): string {
  return (require(`${packageRoot()}/package.json`) as { version: string }).version;
}

let loaded: Addon | undefined;

/**
 * The native addon: the file that POLYDOMAIN_ADDON names, a local build, or the prebuilt binary of
 * this platform. Throws LoadError that says what was looked for.
 */
export function addon(): Addon {
  if (loaded) return loaded;
  const { POLYDOMAIN_ADDON: forced } = process.env;
  let found: Addon;
  try {
    const build = require('node-gyp-build') as (folder: string) => Addon;
    found = forced ? (require(forced) as Addon) : build(packageRoot());
  } catch (cause) {
    if (cause instanceof Error && cause.message.startsWith('POLYDOMAIN_')) {
      throw new errors.DeviceError(cause.message);
    }
    throw new errors.LoadError(
      `the native addon for ${process.platform}-${process.arch} could not be loaded` +
        (forced ? ` from POLYDOMAIN_ADDON=${forced}` : '') +
        ` (${(cause as Error).message.split('\n')[0]})` +
        '; expected a prebuilt binary (linux-x64 with glibc) or a build from source: "npm run build" in a clone of the repository',
      { cause },
    );
  }
  found.setErrorClasses({ ...errors });
  loaded = found;
  return found;
}
