import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { threeDomains } from './three-domains.js';

const library = new URL('../../dist/esm/index.js', import.meta.url).href;
const root = fileURLToPath(new URL('../..', import.meta.url));
const built = join(root, 'build/Release');

interface Outcome {
  readonly values: readonly number[];
  readonly losses: readonly number[];
  readonly auc: number;
}

const data = threeDomains(library, [20, 15], [64, 48, 32], [0, 3, 5]);

/** Fits `model` with `strategy` (expressions) on both devices; prints what came of it, or the error. */
const script = (model: string, strategy: string): string => `${data}
const shape = { schema, embeddingDim: 4, seed: 1 };
const outcomes = [];
const fitOn = async (device) => {
  const model = ${model};
  const result = await fit(model, data, {
    strategy: ${strategy},
    optimizer: optim.sgd({ learningRate: 0.1, momentum: 0.9 }),
    batchSize: 32,
    epochs: 1,
    seed: 1,
    device,
  });
  outcomes.push({
    values: [...model.parameters()].flatMap(([, { data }]) => [...data]),
    losses: result.history.map(({ loss }) => loss),
    auc: result.metrics.validation.auc.mean,
  });
};
try {
  await fitOn('cpu');
  await fitOn('cuda');
  console.log(JSON.stringify(outcomes));
} catch (error) {
  console.log(error.name + ': ' + error.message);
}
`;

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polydomain-'));
  // Programs find the driver by this name.
  await symlink(join(built, 'libcuda_driver.so'), join(folder, 'libcuda.so.1'));
});
afterEach(() => rm(folder, { recursive: true }));

/** What a process prints that finds this driver and plugin. */
async function run(source: string, plugin = join(built, 'libcuda_emulated.so')): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', source],
    { cwd: root, env: { ...process.env, LD_LIBRARY_PATH: folder, POLYDOMAIN_CUDA: plugin } },
  );
  return stdout;
}

/** |a - b| / |b|. */
function distance(a: readonly number[], b: readonly number[]): number {
  const norm = (values: readonly number[]) => Math.hypot(...values);
  return norm(a.map((value, i) => value - (b[i] as number))) / norm(b);
}

/** Their last bits differ, as sums are cut otherwise; the kernels run in the emulation of a device. */
describe('fit on a CUDA device', () => {
  it.each([
    ['an MLP', 'models.mlp({ ...shape, hidden: [8, 4], dropout: 0.3 })', 'strategies.alternate()'],
    ['MAMDR', 'models.mlp({ ...shape, hidden: [8] })', 'strategies.mamdr({ helpers: 1 })'],
    ['Wide & Deep', 'models.wdl({ ...shape, hidden: [8] })', 'strategies.joint()'],
    [
      'MMoE',
      'models.mmoe({ ...shape, hidden: [8], experts: 2, gate: [4], tower: [4] })',
      'strategies.alternate()',
    ],
    ['DeepFM', 'models.deepfm({ ...shape, hidden: [8] })', 'strategies.dn()'],
    ['NFM', 'models.nfm({ ...shape, hidden: [8] })', 'strategies.alternate()'],
    ['PNN', 'models.pnn({ ...shape, hidden: [8] })', 'strategies.alternate()'],
    [
      'PLE',
      'models.ple({ ...shape, hidden: [8], specificExperts: 1, gate: [4], tower: [4], sharedExperts: 1 })',
      'strategies.alternate()',
    ],
    ['PEPNet', 'models.pepnet({ ...shape, hidden: [8], gate: 4 })', 'strategies.alternate()'],
    ['STAR', 'models.star({ ...shape, hidden: [8], norm: "none" })', 'strategies.alternate()'],
    ['AdaSparse', 'models.adasparse({ ...shape, hidden: [8] })', 'strategies.alternate()'],
    [
      'a shared bottom',
      'models.sharedBottom({ ...shape, hidden: [8], tower: [4] })',
      'strategies.alternate()',
    ],
  ])('trains %s as on the CPU', async (_, model, strategy) => {
    const [cpu, cuda] = JSON.parse(await run(script(model, strategy))) as [Outcome, Outcome];
    expect(cuda.values).toHaveLength(cpu.values.length);
    expect(distance(cuda.values, cpu.values)).toBeLessThan(1e-5);
    expect(cuda.values).not.toEqual(cpu.values);
    expect(distance(cuda.losses, cpu.losses)).toBeLessThan(1e-5);
    expect(cuda.auc).toBeCloseTo(cpu.auc, 2);
  });

  const failure = async (model: string, plugin?: string): Promise<string> =>
    (await run(script(model, 'strategies.alternate()'), plugin)).trim();

  it('names an op that has no kernel', async () => {
    expect(await failure('models.autoint({ ...shape, heads: 2 })')).toMatch(
      /^DeviceError: op '\w+' has no CUDA kernel; expected a model without it, or device 'cpu'$/,
    );
  });

  it('says why there is no device', async () => {
    const model = 'models.mlp({ ...shape, hidden: [4] })';
    expect(await failure(model, '/nowhere/plugin.so')).toMatch(
      /^DeviceError: CUDA plugin \/nowhere\/plugin\.so: /,
    );
    await rm(join(folder, 'libcuda.so.1'));
    // What is found first under the driver's name, and is none.
    await symlink(join(built, 'libcuda_other_version.so'), join(folder, 'libcuda.so.1'));
    expect(await failure(model)).toBe(
      "DeviceError: device 'cuda': no NVIDIA driver (libcuda.so.1); expected one, or device 'cpu'",
    );
  });
});
