// Questions to the server. The browser keeps answers and asks whether they are still the same, so that asking
// again for what has not changed costs next to nothing.

const running = new Map();

/// An error with a message for people. `status` is that of the response, or 0 if there was none or it broke off.
export class Failure extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/// The answer to `/api/{endpoint}?{query}`, with its entity tag as `tag`. A question cancels the previous one of the
/// same `purpose`, if that is still running.
export async function ask(endpoint, query, purpose = endpoint) {
  running.get(purpose)?.abort();
  const control = new AbortController();
  running.set(purpose, control);
  let response;
  try {
    response = await fetch(`/api/${endpoint}?${query}`, { signal: control.signal, cache: 'no-cache' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Failure(0, 'The server does not answer; trying again.');
  }
  const body = await response.json().catch((error) => {
    if (error.name === 'AbortError') throw error;
    return null;
  });
  if (response.ok && body === null) throw new Failure(0, 'The server broke off its answer; trying again.');
  if (!response.ok) throw new Failure(response.status, body?.detail ?? `The server answered ${response.status}.`);
  return { ...body, tag: response.headers.get('etag') };
}
