import { ShapeError } from '../errors.js';
import { shown } from '../options.js';

/** Throws ShapeError for what is no list of sizes. */
export function requireShape(shape: unknown, what: string): asserts shape is readonly number[] {
  const isSize = (size: unknown): boolean => Number.isSafeInteger(size) && (size as number) >= 0;
  if (Array.isArray(shape) && shape.every(isSize)) return;
  throw new ShapeError(
    `${what}: shape ${shown(shape)}; expected an array of sizes, such as [2, 3]`,
  );
}

/** How many elements a tensor of these sizes has. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
