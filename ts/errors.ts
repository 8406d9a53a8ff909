import { brand } from './brand.js';

/** Base of every error that polydomain throws on purpose; `name` is the class name. */
export class PolydomainError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Tensors whose shapes do not fit an operation. */
export class ShapeError extends PolydomainError {}
/** Input data that is missing, malformed or out of range. */
export class DataError extends PolydomainError {}
/** An option or configuration key that is unknown, missing or out of range. */
export class ConfigError extends PolydomainError {}
/** A run folder or checkpoint that is truncated, foreign or cannot be written. */
export class CheckpointError extends PolydomainError {}
/** A device (SIMD level, GPU) that was asked for and is not there. */
export class DeviceError extends PolydomainError {}
/** The native addon, or an optional package, could not be loaded. */
export class LoadError extends PolydomainError {}
/** An object that a running program leases was written, read or disposed. */
export class BusyError extends PolydomainError {}
/** A traced function did what only eager code may do, such as reading a value. */
export class TraceError extends PolydomainError {}
/** Training cannot go on: a loss that is not finite. Names the domain and the step. */
export class TrainingError extends PolydomainError {}

for (const [name, error] of Object.entries({
  PolydomainError,
  ShapeError,
  DataError,
  ConfigError,
  CheckpointError,
  DeviceError,
  LoadError,
  BusyError,
  TraceError,
  TrainingError,
})) {
  brand(name, error);
}
