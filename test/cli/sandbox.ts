import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '../../ts/data/random.js';

/** The command line's entry. */
export const main = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url));

/** How a child process ended, and what it wrote. */
export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** What it has written to stderr so far. */
  stderr(): string;
  /** Waits for a text on stderr; false when the process ends without it. */
  says(text: string): Promise<boolean>;
}

export interface StartOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Lets stdin open, with nothing to read. */
  readonly openInput?: boolean;
  /** In blocks of 512 bytes: no file may become larger, as if the disk were full. */
  readonly largestFile?: number;
}

/** A small config over rows.csv. */
export const baseConfig = {
  data: {
    source: 'rows.csv',
    label: 'bought',
    domain: 'country',
    features: ['user', 'item'],
    split: { random: [0.6, 0.2, 0.2] },
    seed: 1,
  },
  model: { name: 'mlp', embeddingDim: 8, hidden: [16, 8], dropout: 0.2 },
  strategy: { name: 'mamdr', helpers: 1 },
  optimizer: { name: 'adam', learningRate: 0.01 },
  batchSize: 32,
  epochs: 3,
  seed: 1,
};

/** Rows of three countries as CSV: whether a user buys depends on both, differently in each. */
export function csvOf(count: number): string {
  const random = new Random(7);
  const lines = ['user,item,country,bought'];
  for (let row = 0; row < count; row++) {
    const domain = random.below(3);
    const user = random.below(40);
    const item = random.below(30);
    const bought = (user * 3 + item * (domain + 1)) % 7 < 3 ? 1 : 0;
    lines.push(`u${user},i${item},${['DE', 'FR', 'UK'][domain]},${bought}`);
  }
  return `${lines.join('\n')}\n`;
}

/** A folder of its own with rows.csv and config.json, and the command line run in it. */
export class Sandbox {
  readonly folder = mkdtempSync(join(tmpdir(), 'polydomain-cli-'));

  /** With the same files as another one. */
  constructor(template?: Sandbox) {
    if (template) {
      cpSync(template.folder, this.folder, { recursive: true });
      return;
    }
    this.write('rows.csv', csvOf(600));
    this.write('config.json', JSON.stringify(baseConfig));
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  exists(...parts: readonly string[]): boolean {
    return existsSync(this.path(...parts));
  }

  text(...parts: readonly string[]): string {
    return readFileSync(this.path(...parts), 'utf8');
  }

  json<Content>(...parts: readonly string[]): Content {
    return JSON.parse(this.text(...parts)) as Content;
  }

  write(name: string, content: string): void {
    writeFileSync(this.path(name), content);
  }

  start(
    args: readonly string[],
    { input, env = {}, openInput = false, largestFile }: StartOptions = {},
  ): Running {
    const command = [process.execPath, main, ...args] as const;
    const limited = [
      'sh',
      '-c',
      `trap "" XFSZ; ulimit -f ${largestFile}; exec "$@"`,
      'sh',
    ] as const;
    const [file, ...rest] = largestFile === undefined ? command : [...limited, ...command];
    const child = spawn(file, rest, {
      cwd: this.folder,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    // A process that ends without reading its input is no failure of the test.
    child.stdin.on('error', () => {});
    if (!openInput) child.stdin.end(input);
    const finished = new Promise<Finished>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
    const says = (text: string): Promise<boolean> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (stderr.includes(text)) resolve(true);
        };
        look();
        child.stderr.on('data', look);
        void finished.then(() => resolve(stderr.includes(text)));
      });
    return { child, finished, stderr: () => stderr, says };
  }

  run(args: readonly string[], options?: StartOptions): Promise<Finished> {
    return this.start(args, options).finished;
  }

  /** Runs what must succeed; returns its stdout. */
  async done(args: readonly string[], options?: StartOptions): Promise<string> {
    const { code, signal, stdout, stderr } = await this.run(args, options);
    if (code === 0) return stdout;
    throw new Error(`${args.join(' ')} ended with ${code ?? signal}: ${stderr}`);
  }

  /** Every file below a folder with a digest of what it holds. */
  snapshot(...parts: readonly string[]): Record<string, string> {
    const root = this.path(...parts);
    const files = readdirSync(root, { recursive: true, withFileTypes: true });
    return Object.fromEntries(
      files
        .map((file) => join(file.parentPath, file.name))
        .sort()
        .map((path) => [path.slice(root.length + 1), digestOf(path)]),
    );
  }

  /** What a finished run led to: the model's files and its scores, by digest. */
  outcome(run: string): Record<string, string> {
    const kept = /^(model\.safetensors|model\.json|vocabulary\.json|metrics\.json|specific\/.*)$/;
    return Object.fromEntries(
      Object.entries(this.snapshot(run)).filter(
        ([name]) => kept.test(name) && !name.endsWith('.writing'),
      ),
    );
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function digestOf(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return 'a folder';
  }
}

/** `--set` options of key and value. */
export function set(values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => [
    '--set',
    `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ]);
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
