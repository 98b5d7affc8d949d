// Every request of this page goes through here, and is shown as it went over the wire.

const SHOWN = 30;

/// Sends JSON, or nothing, and returns the answer with how it looked.
export async function send(method, path, json) {
  const asked = { line: `${method} ${path}`, fields: [], body: "" };
  const request = { method, headers: {} };
  if (json !== undefined) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(json);
    asked.fields.push("content-type: application/json");
    asked.body = request.body;
  }
  const response = await fetch(path, request);
  const body = await response.text();
  const fields = [...response.headers].map(([name, value]) => `${name}: ${value}`);
  return answer(asked, response.status, response.statusText, fields, body);
}

/// Sends bytes, or nothing, and reports how many of them have been sent.
export function transfer(method, path, fields, bytes, { signal, sent = () => {} }) {
  const asked = {
    line: `${method} ${path}`,
    fields: Object.entries(fields).map(([name, value]) => `${name.toLowerCase()}: ${value}`),
    body: bytes ? `${bytes.size} bytes` : "",
  };
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => sent(event.loaded));
    request.addEventListener("load", () => {
      const headers = request.getAllResponseHeaders().trim().split("\r\n");
      const answered = answer(asked, request.status, request.statusText, headers, request.responseText);
      resolve({ ...answered, header: (name) => request.getResponseHeader(name) });
    });
    request.addEventListener("error", () => reject(new Error("The server cannot be reached.")));
    request.addEventListener("abort", () => reject(new Error("The upload is paused.")));
    signal.addEventListener("abort", () => request.abort());
    request.open(method, path);
    for (const [name, value] of Object.entries(fields)) request.setRequestHeader(name, value);
    request.send(bytes);
  });
}

function answer(asked, status, statusText, fields, body) {
  const isJson = fields.some((field) => /^content-type: application\/([a-z]+\+)?json/i.test(field));
  const json = isJson && body ? JSON.parse(body) : null;
  const request = [asked.line, ...asked.fields, "", asked.body].join("\n").trimEnd();
  const shown = json === null ? body : JSON.stringify(json, null, 2);
  const response = [`${status} ${statusText}`, ...fields, "", shown].join("\n").trimEnd();
  log(asked.line, status, request, response);
  return { ok: status < 400, status, json, request, response };
}

function log(line, status, request, response) {
  const entry = document.createElement("li");
  const details = entry.appendChild(document.createElement("details"));
  const summary = details.appendChild(document.createElement("summary"));
  const code = summary.appendChild(document.createElement("code"));
  code.textContent = line;
  const verdict = summary.appendChild(document.createElement("span"));
  verdict.className = status < 400 ? "code" : "code refused";
  verdict.textContent = status;
  for (const text of [request, response]) {
    const shown = details.appendChild(document.createElement("pre"));
    shown.tabIndex = 0;
    shown.textContent = text;
  }
  const wire = document.getElementById("wire");
  // The same question again and again, such as whether all is ready by now, is shown once.
  entry.dataset.line = line;
  if (line.startsWith("GET ") && wire.firstElementChild?.dataset.line === line) wire.firstElementChild.remove();
  wire.prepend(entry);
  while (wire.children.length > SHOWN) wire.lastElementChild.remove();
}
