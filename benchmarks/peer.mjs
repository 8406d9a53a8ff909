// A process that answers one JSON line per JSON line.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export class Peer {
  #process;
  #lines;

  constructor(command, args, environment) {
    this.#process = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    // A peer that dies shows as the end of its answers; a write to it must not throw before that.
    this.#process.stdin.on('error', () => {});
    this.name = args[0];
    const lines = createInterface({ input: this.#process.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  async ask(command, options = {}) {
    this.#process.stdin.write(`${JSON.stringify({ command, ...options })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended at '${command}'; its own message is above`);
    const answer = JSON.parse(value);
    if (answer.error) throw new Error(`${this.name}, '${command}': ${answer.error}`);
    return answer;
  }

  quit() {
    this.#process.stdin.end('{"command":"quit"}\n');
  }
}
