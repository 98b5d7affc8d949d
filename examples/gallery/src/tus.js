// Uploads a file by the tus protocol 1.0, and continues after a pause, a broken connection or a reload.

import { transfer } from "./wire.js";

const VERSION = { "Tus-Resumable": "1.0.0" };
const RETRY_MS = 500;
const RETRIES = 40;

/// Starts the upload of a file. `done` resolves to the last answer.
export function upload(path, file, progress) {
  const control = { abort: new AbortController(), paused: null, unpause: () => {} };
  return {
    done: run(path, file, progress, control),
    pause() {
      control.paused = new Promise((resolve) => (control.unpause = resolve));
      control.abort.abort();
    },
    resume() {
      control.abort = new AbortController();
      control.paused = null;
      control.unpause();
    },
  };
}

async function run(path, file, progress, control) {
  // A file that is chosen again after a reload continues the same upload.
  const key = `tus ${path} ${file.name} ${file.size} ${file.lastModified}`;
  for (let failures = 0; ; ) {
    await control.paused;
    try {
      const answer = await step(path, file, key, progress, control.abort.signal);
      if (answer.ok || isFinal(answer.status)) {
        localStorage.removeItem(key);
        return answer;
      }
    } catch (error) {
      if (control.paused) continue;
      failures += 1;
      if (failures === RETRIES) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/// Another request may have continued the upload; an overloaded or restarting server may answer later.
const isFinal = (status) => status < 500 && ![404, 409, 429].includes(status);

/// Creates the upload if there is none, asks how far it is, and sends the rest.
async function step(path, file, key, progress, signal) {
  let location = localStorage.getItem(key);
  if (location === null) {
    const metadata = `filename ${base64(file.name)},filetype ${base64(file.type)}`;
    const fields = { ...VERSION, "Upload-Length": file.size, "Upload-Metadata": metadata };
    const created = await transfer("POST", path, fields, null, { signal });
    if (!created.ok) return created;
    // The location is relative to the address that was asked.
    location = new URL(created.header("Location"), new URL(path, document.baseURI)).pathname;
    localStorage.setItem(key, location);
  }
  const head = await transfer("HEAD", location, VERSION, null, { signal });
  if (head.status === 404) localStorage.removeItem(key);
  if (!head.ok) return head;
  if (head.header("Media-Id")) return head;
  const offset = Number(head.header("Upload-Offset"));
  const fields = { ...VERSION, "Upload-Offset": offset, "Content-Type": "application/offset+octet-stream" };
  const sent = (bytes) => progress((offset + bytes) / file.size);
  sent(0);
  return await transfer("PATCH", location, fields, file.slice(offset), { signal, sent });
}

const base64 = (text) => btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
