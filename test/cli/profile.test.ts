import { afterAll, describe, expect, it } from 'vitest';
import { Sandbox, set } from './sandbox.js';

const box = new Sandbox();
afterAll(() => box.remove());

const args = (run: string, epochs: number): string[] => [
  ...['train', 'config.json', '-o', run],
  ...set({ epochs, patience: epochs }),
];

describe('train --profile', () => {
  it('leaves the run as it is without', async () => {
    await box.done(args('plain', 2));
    await box.done([...args('profiled', 2), '--profile', 'trace.json']);
    expect(box.outcome('profiled')).toEqual(box.outcome('plain'));
    const { traceEvents } = box.json<{ traceEvents: { name: string }[] }>('trace.json');
    expect(traceEvents.map(({ name }) => name)).toContain('evaluate DE');
  });

  it('is written whole when a signal ends the run', async () => {
    const { child, finished, says } = box.start([...args('run', 1000), '--profile', 'cut.json']);
    expect(await says('mamdr epoch 3/1000')).toBe(true);
    child.kill('SIGINT');
    expect((await finished).code).toBe(130);
    const { traceEvents } = box.json<{ traceEvents: { name: string }[] }>('cut.json');
    expect(traceEvents.map(({ name }) => name)).toContain('epoch 3');
  });
});
