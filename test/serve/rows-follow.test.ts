import { describe, expect, it } from 'vitest';
import {
  BusyError,
  type FitOptions,
  fit,
  load,
  type Predictor,
  strategies,
} from '../../ts/index.js';
import { temporaryFolder } from '../folder.js';
import { dataOf, makers, trainingOptions } from '../purchases.js';

// A row by itself is scored from copies of what does not depend on it. They have to follow whatever becomes of
// the parameters; a batch, which reads these themselves, tells the truth.

const path = temporaryFolder();
const domains = ['a', 'bb', 'ccc'];
const data = dataOf(domains);
const rows = Array.from({ length: 60 }, (_, i) => ({ user: i % 23, item: (i * 5) % 17 }));
const [row] = rows as [(typeof rows)[0]];
const options = { ...trainingOptions, batchSize: 16, epochs: 1 };

/** The scores of every domain, which take turns; they are those of a batch, and of calls of a few rows. */
async function scoresOf(predictor: Predictor): Promise<number[][]> {
  const alone = domains.map(() => [] as number[]);
  for (const one of rows) {
    for (const [d, domain] of domains.entries()) {
      alone[d]?.push(predictor.forDomain(domain).predictSync(one));
    }
  }
  for (const [d, domain] of domains.entries()) {
    const scorer = predictor.forDomain(domain);
    expect([...(await scorer.predict(rows))]).toEqual(alone[d]);
    expect([...(await scorer.predict(rows.slice(3, 8)))]).toEqual(alone[d]?.slice(3, 8));
  }
  return alone;
}

describe.each(['mlp', 'mmoe'] as const)('single rows of %s', (name) => {
  const make = () => makers[name](data);
  const train = (changes: Partial<FitOptions> = {}, model = make()) =>
    fit(model, data, { ...options, ...changes });

  it.each([
    ['shared values', strategies.alternate()],
    ['own values of everything', strategies.mamdr({ helpers: 1 })],
    ['own values of a layer', strategies.mamdr({ helpers: 1, specific: ['*.0.*'] })],
    ['values of a fork', strategies.separate()],
  ])('score as in a batch: %s', async (_, strategy) => {
    const scores = await scoresOf(await train({ strategy }));
    expect(new Set(scores.flat()).size).toBeGreaterThan(100);
  });

  it('follow what is written through a view, now and later', async () => {
    const run = await train();
    const seen = [await scoresOf(run)];
    const views = [...run.model.parameters().values()];
    const write = async () => {
      for (const { data: values } of views) {
        for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + 0.1;
        seen.push(await scoresOf(run));
      }
    };
    await write();
    await train({}, run.model as ReturnType<typeof make>);
    seen.push(await scoresOf(run));
    await write();
    // Softmax gates are the same with another bias in all of it.
    expect(new Set(seen.map((scores) => JSON.stringify(scores))).size).toBeGreaterThan(
      seen.length / 2,
    );
  });

  it('follow the next fit of the same model', async () => {
    const run = await train();
    const before = await scoresOf(run);
    const model = run.model as ReturnType<typeof make>;
    const next = await train({ strategy: strategies.alternate() }, model);
    const after = await scoresOf(next);
    expect(after).not.toEqual(before);
    expect(await scoresOf(run)).toEqual(after);
  });

  it('are the same once saved and loaded, and no view is handed out on the way', async () => {
    const lent = ({ model }: Predictor) => model.compile().space.lent;
    const run = await train();
    const scores = await scoresOf(run);
    await run.save(path(name));
    const loaded = await load(path(name));
    expect(await scoresOf(loaded)).toEqual(scores);
    const next = await train({ from: path(name) });
    await scoresOf(next);
    expect([run, loaded, next].map(lent)).toEqual([false, false, false]);
    run.model.parameters();
    expect(lent(run)).toBe(true);
  });

  it('follow rows of tables that move', async () => {
    const run = await train();
    const scorer = run.forDomain('a');
    const score = scorer.predictSync(row);
    const more = dataOf(domains, 12, 40).continuing(run.vocabulary);
    const next = await fit(makers[name](more), more, { ...options, from: run, inPlace: true });
    expect(() => scorer.predictSync(row)).toThrow(BusyError);
    await scoresOf(next);
    expect(next.forDomain('a').predictSync(row)).not.toBe(score);
  });

  it('are refused while the model is trained, and once it is disposed', async () => {
    const run = await train();
    const scorer = run.forDomain('a');
    scorer.predictSync(row);
    const training = train({}, run.model as ReturnType<typeof make>);
    await new Promise((resolve) => setImmediate(resolve));
    expect(() => scorer.predictSync(row)).toThrow(BusyError);
    await training;
    expect(scorer.predictSync(row)).toBeGreaterThan(0);
    run.model.dispose();
    expect(() => scorer.predictSync(row)).toThrow(BusyError);
  });
});

it('leaves nothing of the memory that a parameter is filled through', () => {
  const { space } = makers.mlp(data).compile();
  let kept: Float32Array = new Float32Array();
  space.write('bias', (values) => {
    values.fill(2);
    kept = values;
  });
  expect(kept).toHaveLength(0);
  expect(() =>
    space.write('bias', (values) => {
      kept = values;
      throw new RangeError('no');
    }),
  ).toThrow(RangeError);
  expect(kept).toHaveLength(0);
  kept = space.read('bias');
  expect([...kept]).toEqual([2]);
  space.withdraw();
  expect(kept).toHaveLength(0);
  const view = space.data('bias');
  expect([...view]).toEqual([2]);
  space.withdraw();
  space.write('bias', (values) => values.fill(3));
  expect([...view]).toEqual([3]);
});
