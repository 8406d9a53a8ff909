import { SingleBar } from 'cli-progress';
import type { FitEvent } from '../train/events.js';

/** A size for people. */
export function bytes(size: number): string {
  if (size < 1e6) return `${(size / 1e3).toFixed(0)} kB`;
  return size < 1e9 ? `${(size / 1e6).toFixed(0)} MB` : `${(size / 1e9).toFixed(1)} GB`;
}

/**
 * Shows a run on stderr: a bar on a terminal, else a line per epoch. The returned function takes
 * the run's events; `stop` ends the display.
 */
export function showProgress(name: string): { onEvent(event: FitEvent): void; stop(): void } {
  const terminal = process.stderr.isTTY;
  const bar = new SingleBar({
    format:
      '{stage} {bar} {percentage}%  epoch {epoch}/{epochs}  validation AUC {auc}  {eta_formatted} left',
    stream: process.stderr,
    hideCursor: true,
    gracefulExit: false,
  });
  let epochs = 1;
  let open = false;
  const stop = (): void => {
    if (open) bar.stop();
    open = false;
  };
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  return {
    stop,
    onEvent(event) {
      switch (event.kind) {
        case 'start':
          say(
            `${name}: ${bytes(event.expectedBytes)} of memory for the model and its training expected at most${
              event.expectedFileBytes > 0 ? `, ${bytes(event.expectedFileBytes)} on disk` : ''
            }`,
          );
          break;
        case 'warning':
          say(`warning: ${event.message}`);
          break;
        case 'phase': {
          stop();
          epochs = event.epochs;
          open = terminal;
          const stage = event.stage.padEnd(10);
          if (open) bar.start(epochs, 0, { stage, epoch: 1, epochs, auc: '-' });
          break;
        }
        case 'progress':
          if (open) {
            bar.update(event.epoch + event.done / event.total, { epoch: event.epoch + 1 });
          }
          break;
        case 'epoch': {
          const auc = event.validation.auc.mean?.toFixed(4) ?? '-';
          if (open) bar.update(event.epoch + 1, { auc });
          else {
            say(
              `${event.stage} epoch ${event.epoch + 1}/${epochs}: loss ${event.loss.toFixed(4)}, validation AUC ${auc}, ${event.seconds.toFixed(1)} s`,
            );
          }
          break;
        }
        case 'end':
          stop();
      }
    },
  };
}
