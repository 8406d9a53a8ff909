import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../native/load.js';
import { peerSimdSettings } from './machine.js';
import { Peer } from './peer.js';

/** What is timed: a train step, a scored batch, one scored row, and many callers of one row each at once. */
export type Task = 'train' | 'score' | 'row' | 'callers';

interface Definition {
  readonly tasks: readonly Task[];
  /** Relative to benchmarks/peers. */
  readonly script: string;
  readonly args: (threads: number) => readonly string[];
  /** A module that Python has to find, or a package of benchmarks/package.json. */
  readonly needs?: { readonly python: string; readonly pip: string } | { readonly npm: string };
  /** What is to be known of its figures. */
  readonly note?: string;
}

const withThreads = (threads: number): string[] => [`${threads}`];
const torch = {
  python: 'torch',
  pip: 'torch --index-url https://download.pytorch.org/whl/cpu',
} as const;
const tfjs = {
  tasks: ['train', 'score', 'row'],
  script: 'tfjs.mjs',
  needs: { npm: '@tensorflow/tfjs' },
  note: 'one thread; its train step leaves out the embeddings, which it cannot train at this size',
} as const;

const definitions = {
  polydomain: {
    tasks: ['train', 'score', 'row', 'callers'],
    script: 'polydomain_train.mjs',
    args: (threads) => [`${threads}`, 'lazy'],
  },
  'polydomain-dense': {
    tasks: ['train'],
    script: 'polydomain_train.mjs',
    args: (threads) => [`${threads}`, 'dense'],
    note: "adam({ rows: 'dense' }): the values of Adam on whole tables",
  },
  pytorch: {
    tasks: ['train', 'score', 'row'],
    script: 'pytorch_train.py',
    args: (threads) => [`${threads}`, 'sparse'],
    needs: torch,
    note: 'SparseAdam on tables, fused Adam on layers; one row is scored from Python',
  },
  'pytorch-dense': {
    tasks: ['train'],
    script: 'pytorch_train.py',
    args: (threads) => [`${threads}`, 'dense'],
    needs: torch,
    note: 'fused Adam on whole tables',
  },
  tensorflow: {
    tasks: ['train', 'score', 'row'],
    script: 'tensorflow_train.py',
    args: withThreads,
    needs: { python: 'tensorflow', pip: 'tensorflow-cpu' },
    note: "Keras's Adam, on whole tables; one row is scored from Python",
  },
  'onnxruntime-node': {
    tasks: ['score', 'row', 'callers'],
    script: 'onnxruntime.mjs',
    args: withThreads,
    needs: { npm: 'onnxruntime-node' },
  },
  'tfjs-wasm': { ...tfjs, args: () => ['wasm'] },
  'tfjs-cpu': { ...tfjs, args: () => ['cpu'] },
} as const satisfies Record<string, Definition>;

/** A library that is measured, in one way of training; polydomain is one of them. */
export type PeerName = keyof typeof definitions;
export const ours: PeerName = 'polydomain';
export const peerNames = Object.keys(definitions) as PeerName[];

function definition(name: PeerName): Definition {
  return definitions[name];
}

export function tasksOf(name: PeerName): readonly Task[] {
  return definition(name).tasks;
}

export function noteOn(name: PeerName): string | undefined {
  return definition(name).note;
}

const benchmarksFolder = (): string => join(packageRoot(), 'benchmarks');
const python = (): string => process.env.POLYDOMAIN_PYTHON ?? 'python3';

/** The command that installs a peer that is not there; undefined when it is. */
export function missing(name: PeerName): string | undefined {
  const { needs } = definition(name);
  if (!needs) return undefined;
  if ('npm' in needs) {
    const folder = benchmarksFolder();
    if (existsSync(join(folder, 'node_modules', needs.npm))) return undefined;
    return `npm ci --ignore-scripts --prefix '${folder}'`;
  }
  const script = `import importlib.util, sys; sys.exit(importlib.util.find_spec('${needs.python}') is None)`;
  if (spawnSync(python(), ['-c', script], { stdio: 'ignore' }).status === 0) return undefined;
  return `python3 -m venv peers && peers/bin/pip install ${needs.pip} && export POLYDOMAIN_PYTHON=$PWD/peers/bin/python`;
}

/** Starts a peer's process, whose temporary files go to a folder. */
export function start(name: PeerName, threads: number, temporary: string): Peer {
  const { needs, script, args } = definition(name);
  const program = needs && 'python' in needs ? python() : process.execPath;
  const path = join(benchmarksFolder(), 'peers', script);
  const environment = {
    POLYDOMAIN_THREADS: `${threads}`,
    TF_CPP_MIN_LOG_LEVEL: '2',
    TMPDIR: temporary,
    ...peerSimdSettings(),
  };
  return new Peer(name, [program, path, ...args(threads)], environment);
}
