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

/// Sends a file as a form, and tells how much of it has left.
export function upload(path, file, progress) {
  const form = new FormData();
  form.append("file", file, file.name);
  const asked = {
    line: `POST ${path}`,
    fields: ["content-type: multipart/form-data"],
    body: `file: ${file.name}, ${file.size} bytes`,
  };
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      const fields = request.getAllResponseHeaders().trim().split("\r\n");
      resolve(answer(asked, request.status, request.statusText, fields, request.responseText));
    });
    request.addEventListener("error", () => reject(new Error("The server cannot be reached.")));
    request.open("POST", path);
    request.send(form);
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
