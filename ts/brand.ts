interface Class {
  readonly prototype: object;
}

/**
 * Lets `instanceof` recognise instances of the same class from another loaded copy of the package
 * (ESM beside CommonJS).
 */
export function brand(name: string, branded: Class): void {
  const mark = Symbol.for(`polydomain.${name}`);
  Object.defineProperty(branded.prototype, mark, { value: true });
  Object.defineProperty(branded, Symbol.hasInstance, {
    value(this: Class, value: unknown): boolean {
      // Subclasses inherit this check, but are known by their own prototype.
      if (this !== branded)
        return Function.prototype[Symbol.hasInstance].call(this as never, value);
      return typeof value === 'object' && value !== null && mark in value;
    },
  });
}
