import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type FitEvent, type FitOptions, fit, optim, strategies } from '../../ts/index.js';
import { temporaryFolder } from '../folder.js';
import { bitsOf, toyData, toyModel } from '../toy.js';

const path = temporaryFolder();
const data = toyData([70, 40, 20]);
const stopped = new Error('stopped by the test');

async function outcome(options: Partial<FitOptions>) {
  const model = toyModel(data);
  const { metrics, history } = await fit(model, data, {
    strategy: strategies.alternate(),
    optimizer: optim.adam({ learningRate: 1e-2 }),
    batchSize: 16,
    epochs: 3,
    seed: 5,
    ...options,
  });
  return { bits: bitsOf(model), metrics, history };
}

/** Aborts so many turns of the event loop after the first event that is picked. */
function aborting(turns: number, picks: (event: FitEvent) => boolean): Partial<FitOptions> {
  const controller = new AbortController();
  let picked = false;
  const abort = async () => {
    for (let turn = 0; turn < turns; turn++) await setImmediate();
    controller.abort(stopped);
  };
  return {
    signal: controller.signal,
    onEvent: (event) => {
      if (picked || !picks(event)) return;
      picked = true;
      void abort();
    },
  };
}

/** The run again and again until none of its aborts comes in time; each comes a turn later than the last one. */
async function untilDone(
  options: Partial<FitOptions>,
  picks: (event: FitEvent) => boolean,
  onStop: () => void,
) {
  const runFolder = path('run');
  for (let turns = 1; ; turns++) {
    const resume = turns > 1;
    const result = await outcome({
      ...options,
      runFolder,
      resume,
      ...aborting(turns, picks),
    }).catch((error: unknown) => error);
    if (result !== stopped) return result;
    onStop();
  }
}

it.each([
  ['alternate', strategies.alternate()],
  ['mamdr', strategies.mamdr({ helpers: 1 })],
  ['d-train', strategies.dTrain()],
])(
  'an abort ends the passes of validation, too, and %s goes on with the same bits',
  async (_, strategy) => {
    const options = { strategy, validationPasses: 30 };
    let trained = 0;
    const picks = (event: FitEvent): boolean => {
      if (event.kind !== 'progress' || event.done < event.total) return false;
      trained = event.done;
      return true;
    };
    let within = 0;
    const result = await untilDone(options, picks, () => {
      const progress = JSON.parse(
        readFileSync(path('run', 'checkpoints', 'progress.json'), 'utf8'),
      );
      // The next epoch would have begun with none of its commands done.
      if (progress.commandsDone === trained) within++;
    });
    expect(within).toBeGreaterThan(0);
    expect(result).toEqual(await outcome(options));
  },
);

it('an abort ends the scoring behind the last epoch, which is done again', async () => {
  const last = (event: FitEvent): boolean => event.kind === 'checkpoint';
  let stops = 0;
  const options = { epochs: 2 };
  const result = await untilDone(options, last, () => stops++);
  expect(stops).toBeGreaterThan(0);
  expect(result).toEqual(await outcome(options));
});
