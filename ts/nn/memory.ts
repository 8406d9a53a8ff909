import { totalmem } from 'node:os';
import { ConfigError } from '../errors.js';
import type { NativeParameterSpec } from '../native/addon.js';
import { elementCount } from '../tensor/shape.js';

/** Bytes of memory that this process may use: the machine's, or those of its control group. */
export function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** Of a parameter's values. */
export function bytesOf({ shape }: Pick<NativeParameterSpec, 'shape'>): number {
  return 4 * elementCount(shape);
}

/** Throws ConfigError when parameters are larger than memory, before anything is allocated. */
export function requireMemory(
  parameters: readonly NativeParameterSpec[],
  limit = memoryLimit(),
): void {
  const sizes = parameters.map(({ name, shape }) => ({ name, shape, bytes: bytesOf({ shape }) }));
  const needed = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  if (needed <= limit) return;
  const largest = sizes.reduce((most, own) => (own.bytes > most.bytes ? own : most));
  throw new ConfigError(
    `the model's parameters need ${needed} bytes, '${largest.name}' [${largest.shape}] alone ${largest.bytes}; expected ${limit} at most, the memory there is`,
  );
}
