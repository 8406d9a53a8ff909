import { Dropout } from './layers.js';
import { Module } from './module.js';

/** Names the random streams below a module by their paths, so that they do not depend on anything else. */
export function nameStreams(module: unknown, path: string): void {
  if (module instanceof Dropout) {
    let hash = 7;
    for (const char of path) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 0x7fffffff;
    module.stream = hash;
  } else if (Array.isArray(module)) {
    module.forEach((item, i) => {
      nameStreams(item, `${path}.${i}`);
    });
  } else if (module instanceof Map) {
    for (const [key, item] of module) nameStreams(item, `${path}.${key}`);
  } else if (module instanceof Module) {
    for (const [key, item] of Object.entries(module)) nameStreams(item, `${path}.${key}`);
  }
}
