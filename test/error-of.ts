/** The error that a call ends with. Throws when it ends well. */
export async function errorOf(attempt: () => unknown): Promise<Error> {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`something that is no error was thrown: ${error}`);
  }
  throw new Error('nothing was thrown');
}
