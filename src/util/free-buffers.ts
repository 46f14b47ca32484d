/** Memory that nobody reads any more, given back at once and not with some later garbage collection. */

type Port = InstanceType<typeof MessageChannel>["port1"];

let closed: Port | undefined;

/**
 * Frees buffers: their length is 0 afterwards, and so is that of every view of them. What is transferred to a closed port is
 * dropped. (`ArrayBuffer.prototype.transfer(0)` would do it, but Node.js 20 has no such function.)
 */
export function freeBuffers(buffers: readonly ArrayBuffer[]): void {
  if (buffers.length === 0) return;
  closed ??= closedPort();
  closed.postMessage(undefined, [...new Set(buffers)]);
}

function closedPort(): Port {
  const { port1, port2 } = new MessageChannel();
  port1.close();
  port2.close();
  return port1;
}
