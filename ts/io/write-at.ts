import { writeSync } from 'node:fs';

/** Writes all of `bytes` from `position` in the file on; one write of the system may take less of them. */
export function writeAtSync(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, position + done);
  }
}
