// Where the answers come from: the page's own server. The page without a server has another file of this name.

export const hasServer = true;

export async function call(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Error("The page’s own server does not answer. Is “emotion web” still running?");
  }
}

// What is to be said of where pictures go, where "this computer" would be untrue: the page came from another.
export function where() {
  const name = location.hostname;
  if (name === "localhost" || name === "[::1]" || name.startsWith("127.")) return "";
  const heard = location.protocol === "https:" ? "" : " The connection is not encrypted: who is on the network can read along.";
  return `Pictures and frames go to the server at ${location.host}, which holds results in memory while it runs.${heard}`;
}
