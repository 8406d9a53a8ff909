import { TraceError } from '../errors.js';
import type { NativeGraph } from '../native/addon.js';
import { addon } from '../native/load.js';

/** The graph that a traced function is being recorded into. */
export class Trace {
  readonly graph: NativeGraph = new (addon().Graph)();
  /** The input [1] that addresses banks, where the traced function has one. */
  slot: number | undefined;
  /** Values of scalars that training minimises beside the loss, where a model is traced. */
  penalties: number[] | undefined;
  private readonly parameters = new Map<string, number>();

  /** The value of a parameter, one per trace however often it is read. */
  parameter(name: string, shape: readonly number[]): number {
    let value = this.parameters.get(name);
    if (value === undefined) {
      value = this.graph.parameter(name, shape);
      this.parameters.set(name, value);
    }
    return value;
  }
}

let current: Trace | undefined;

/** The trace under way, if any. */
export function currentTrace(): Trace | undefined {
  return current;
}

/** Records what `body` computes. Traces do not nest. */
export function withTrace<Result>(trace: Trace, body: () => Result): Result {
  if (current) throw new TraceError('a trace is under way already; expected it to end first');
  current = trace;
  try {
    return body();
  } finally {
    current = undefined;
  }
}
