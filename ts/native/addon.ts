/** The typed surface of the native addon. Everything here is internal; `ts/index.ts` decides what users see. */

import type { Schedule } from '../optim/schedule.js';

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;
export type AttributeValue = boolean | number | string | readonly number[] | undefined;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A dense value on its way into an op: memory and shape. */
export interface NativeValue {
  readonly data: TypedArray;
  readonly shape: readonly number[];
}

export interface NativeNode {
  readonly kind: 'op' | 'input' | 'parameter';
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly number[];
  readonly attributes: Attributes;
  /** A leading -1 is the run-time row count. */
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'float64' | 'int32' | 'uint8';
}

export interface NativeGraph {
  input(name: string, dtype: NativeNode['dtype'], shape: readonly number[]): number;
  parameter(name: string, shape: readonly number[]): number;
  /** Appends an op; its type rule checks the shapes (ShapeError). */
  add(op: string, inputs: readonly number[], attributes: Attributes, name: string): number;
  node(value: number): NativeNode;
  readonly size: number;
  /** Appends the backward pass; -1 where the loss does not depend on a value. */
  backward(loss: number, values: readonly number[]): number[];
}

export interface NativeInitializer {
  readonly kind: 'zeros' | 'constant' | 'uniform' | 'normal';
  readonly a: number;
  readonly b: number;
}

export interface NativeParameterSpec {
  readonly name: string;
  readonly kind: 'dense' | 'table';
  readonly shape: readonly number[];
  readonly initializer: NativeInitializer;
  readonly l2: number;
  readonly trainable: boolean;
  /** Of a table: its rows are the domains' slots. */
  readonly bank?: boolean;
}

export interface OverlayEntries {
  readonly units: Uint32Array;
  /** units.length x unit size: the row of a table, or a 128-float block of a dense parameter. */
  readonly values: Float32Array;
}

export interface NativeSpace {
  /**
   * A live view of a parameter's memory, never copied, for users: they may write at any time, so that from
   * then on nothing is kept of any parameter to score faster. Throws BusyError while leased.
   */
  data(parameter: string): Float32Array;
  /** Whether data() was called. */
  readonly lent: boolean;
  /** data() for the library's own reading. */
  read(parameter: string): Float32Array;
  /**
   * A view to write to that is empty once `write` is over. Throws BusyError while the space is on lease or
   * read off the event loop.
   */
  write(parameter: string, write: (values: Float32Array) => void): void;
  /** What read() gave is empty from now on, unless users have views. Throws as write() does. */
  withdraw(): void;
  configureOverlays(
    combine: 'plus' | 'times' | 'replace',
    start: 'neutral' | 'random',
    specific: readonly string[],
  ): void;
  /**
   * Keeps about `budget` bytes of overlays in memory and the rest in a file without a name in
   * `folder`; -1: all in memory.
   */
  limitOverlays(folder: string, budget: number): void;
  /** Floats of a unit of a parameter: a row's, or a block's of a dense one. */
  unitSize(parameter: string): number;
  /** The units, in ascending order, of which a domain has own values. */
  overlayUnits(domain: number, parameter: string): Uint32Array;
  overlay(domain: number, parameter: string): OverlayEntries;
  setOverlay(domain: number, parameter: string, entries: OverlayEntries): void;
  dropOverlays(): void;
  /**
   * By table what row each of its rows was, in place, off the event loop; new rows (-1) get their start, and
   * `optimizers` follow. Programs over the space are void, views on it empty. The space is on lease meanwhile;
   * throws BusyError while it is already, or is read off the event loop.
   */
  moveRows(
    tables: readonly (readonly [parameter: string, from: Int32Array])[],
    optimizers: readonly NativeOptimizer[],
  ): Promise<void>;
  /** When the parameters have their first values, which threads draw from the space's making on. */
  started(): Promise<void>;
  dispose(): void;
}

export interface NativeProgram {
  readonly inputNames: readonly string[];
  /** Steps after fusion, one per line. */
  describe(): string;
  /**
   * Scores rows on the caller's thread; columns in the order of inputNames.
   * overlay: the domain whose effective values to read, -1 for the shared ones.
   */
  predict(columns: readonly TypedArray[], rows: number, overlay: number): Float32Array;
  /** predict() off the event loop. */
  predictAsync(
    columns: readonly TypedArray[],
    rows: number,
    overlay: number,
  ): Promise<Float32Array>;
  dispose(): void;
}

/** Columns of one row, in memory that its caller writes to. */
export interface NativeRow {
  /** The score of what the columns hold, on the caller's thread. Throws as predict() does. */
  score(): number;
}

export interface NativeOptimizerSpec {
  readonly kind: 'sgd' | 'adagrad' | 'adam' | 'adamw';
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly epsilonForm: 'torch' | 'tf1';
  readonly rows: 'lazy' | 'dense';
  readonly weightDecay: number;
  readonly initialAccumulator: number;
  readonly schedule?: Schedule | undefined;
}

export interface NativeSplit {
  readonly rows: number;
  readonly ids: readonly Int32Array[];
  readonly numbers?: readonly Float32Array[] | undefined;
  readonly lists?:
    | readonly { readonly offsets: Int32Array; readonly ids: Int32Array }[]
    | undefined;
  readonly labels: Float32Array;
  readonly weights?: Float32Array | undefined;
  readonly domainOffsets: Int32Array;
}

/** Columns in a file: `at` and the like are bytes from its beginning. */
export interface NativeRowFile {
  readonly path: string;
  /** Of the whole file. */
  readonly bytes: number;
  /** Nanoseconds since 1970: the file has to stay as it is. */
  readonly modified: bigint;
  /** Rows in memory at a time; as many are read ahead. */
  readonly windowRows: number;
  readonly ids: readonly { readonly at: number; readonly size: number }[];
  readonly numbers: readonly { readonly at: number }[];
  /** `count` values of all rows' lists. */
  readonly lists: readonly {
    readonly offsets: number;
    readonly at: number;
    readonly count: number;
    readonly size: number;
  }[];
  readonly labels: number;
  readonly weights?: number;
}

/** Rows that stay in a file. */
export interface NativeStreamedSplit {
  readonly rows: number;
  readonly domainOffsets: Int32Array;
  readonly file: NativeRowFile;
}

/** Where a cancelled pass stands: steps done, and the sums of its loss so far. */
export interface NativeInterruption {
  readonly step: number;
  readonly lossSum: number;
  readonly rows: number;
}

/** Fields of native/include/polydomain/session.h's Command; anything left out has its default. */
export interface NativeCommand {
  readonly kind:
    | 'mark'
    | 'restore'
    | 'lerp'
    | 'outerStep'
    | 'release'
    | 'run'
    | 'converge'
    | 'evaluate'
    | 'resetOptimizer'
    | 'bufferZero'
    | 'bufferAdd'
    | 'bufferScale'
    | 'bufferProject'
    | 'bufferAddChange'
    | 'bufferApply'
    | 'bufferDot'
    | 'dropOverlay'
    | 'slots'
    | 'broadcast';
  readonly target?: number;
  readonly other?: number;
  readonly domain?: number;
  readonly split?: number;
  readonly overlay?: number;
  readonly optimizer?: number;
  readonly program?: number;
  readonly selection?: number;
  readonly order?: Int32Array;
  readonly pass?: number;
  readonly mixed?: boolean;
  /** restore: also what is not trainable. */
  readonly untrained?: boolean;
  readonly blocks?: boolean;
  readonly rowsPerDomain?: number;
  readonly shortest?: boolean;
  readonly clip?: boolean;
  /** run that adds gradients: a short last batch weighs less, by its rows. */
  readonly byRows?: boolean;
  readonly shareFrom?: number;
  readonly shareTo?: number;
  readonly maxSteps?: number;
  readonly resumed?: NativeInterruption;
  readonly passes?: number;
  readonly patience?: number;
  readonly rate?: number;
}

export interface NativeRunOutcome {
  readonly completed: number;
  /** Inside the next command, when it was cancelled between two steps; else step is 0. */
  readonly interruption: NativeInterruption;
  /** One entry per completed command. */
  readonly loss: Float64Array;
  readonly auc: Float64Array;
  readonly rows: Float64Array;
  readonly steps: Float64Array;
  /** bufferDot: the dot product. */
  readonly value: Float64Array;
  /** Seconds of native work. */
  readonly seconds: number;
}

/** Tables of numbers, row after row; times in nanoseconds since startProfile(). */
export interface NativeProfile {
  readonly labels: readonly string[];
  /** Label, domain and overlay (-1: none, or several commands), commands, begin, end. */
  readonly spans: Float64Array;
  /** Span, label, nanoseconds, calls. */
  readonly totals: Float64Array;
  /** Label, begin, end. */
  readonly events: Float64Array;
}

/** The state of an optimizer, which later sessions over the same space may go on from. */
export interface NativeOptimizer {
  readonly [kept]: never;
}
declare const kept: unique symbol;

export interface NativeSession {
  /** Throws DataError, also for a file that is not as it was described. */
  addSplit(split: NativeSplit | NativeStreamedSplit): number;
  addOptimizer(spec: NativeOptimizerSpec, state?: NativeOptimizer): number;
  optimizer(index: number): NativeOptimizer;
  addSelection(patterns: readonly string[]): number;
  /** trained: glob patterns of the parameters that get gradients; dropout: whether it is on, true by default. */
  addTrainingProgram(
    graph: NativeGraph,
    output: number,
    loss: number,
    trained: readonly string[],
  ): number;
  addGradientProgram(
    graph: NativeGraph,
    output: number,
    loss: number,
    trained: readonly string[],
    dropout?: boolean,
  ): number;
  setEvaluationProgram(graph: NativeGraph, output: number, loss: number): void;
  configureOverlays: NativeSpace['configureOverlays'];
  limitOverlays: NativeSpace['limitOverlays'];
  /** Records the time of commands from now on. */
  startProfile(): void;
  profile(): NativeProfile | undefined;
  /** Runs on a thread of its own; rejects with typed errors. One call at a time (BusyError). */
  run(commands: readonly NativeCommand[]): Promise<NativeRunOutcome>;
  /** Probabilities of a domain's rows of one split, with the values of its own that it has. */
  scores(split: number, domain: number, overlay: number): Promise<Float32Array>;
  cancel(): void;
  save(path: string): Promise<void>;
  load(path: string): Promise<void>;
  dispose(): void;
}

export interface Addon {
  readonly version: string;
  /** The classes that native errors become, by name. */
  setErrorClasses(classes: Readonly<Record<string, new (message: string) => Error>>): void;
  simdLevel(): string;
  supportedSimdLevels(): string[];
  /** One line: NVIDIA's driver, its devices and the CUDA plugin, or which of them is missing. */
  cuda(): string;
  threads(): number;
  ops(): string[];
  /** Zeroed, 64-byte aligned native memory; counted by the garbage collector. */
  allocate(bytes: number): ArrayBuffer;
  /** Frees what allocate() or call() returned and detaches it: views on it become empty. */
  release(buffer: ArrayBuffer): void;
  /** Runs one op now. seed and step key its random numbers. */
  call(
    op: string,
    inputs: readonly NativeValue[],
    attributes: Attributes,
    seed: number,
    step: number,
  ): { data: TypedArray; shape: number[]; dtype: NativeNode['dtype'] };
  /** Uniform or normal numbers of a named stream, counter-based. */
  fillRandom(
    target: Float32Array,
    initializer: NativeInitializer,
    seed: number,
    stream: string,
  ): void;
  /** A seeded permutation of 0 .. count - 1. */
  permutation(count: number, seed: number, stream: string, step: number): Int32Array;
  /** `amount` different numbers of 0 .. count - 1, in O(amount). */
  sample(count: number, amount: number, seed: number, stream: string, step: number): Int32Array;
  /** Ends the process at once, whatever runs. */
  exitNow(code: number): never;
  /** Exact ROC AUC with ties; NaN when one class only. */
  auc(scores: Float32Array, labels: Float32Array): number;
  logLoss(scores: Float32Array, labels: Float32Array): number;
  /** Mean AUC over domains on bootstrap resamples: [resamples x runs], off the event loop. */
  bootstrapAucs(
    runs: readonly Float32Array[],
    labels: Float32Array,
    domainOffsets: Int32Array,
    resamples: number,
    seed: number,
  ): Promise<Float64Array>;
  Graph: new () => NativeGraph;
  Space: new (parameters: readonly NativeParameterSpec[], seed: number) => NativeSpace;
  /** output: the logits; predict() applies no sigmoid unless it is part of the graph. */
  Program: new (
    graph: NativeGraph,
    space: NativeSpace,
    output: number,
  ) => NativeProgram;
  /** Columns and overlay as in predict(). */
  Row: new (
    program: NativeProgram,
    columns: readonly TypedArray[],
    overlay: number,
  ) => NativeRow;
  Session: new (
    space: NativeSpace,
    /** lease: nobody else may use the space before dispose(); else during calls only. */
    options: {
      batchSize: number;
      seed: number;
      threads?: number;
      lease?: boolean;
      clipNorm?: number;
      classWeights?: readonly [number, number];
      /** For scores of rows on disk that are beyond their window; /tmp by default. */
      spillFolder?: string;
      /** The CPU by default. */
      device?: 'cpu' | 'cuda';
    },
  ) => NativeSession;
}
