// How a picture is shown in the list, and what is said of it.

/// Makes an element out of a tag, properties and children.
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const nameOf = (media) => media.originalName ?? "unnamed";

/// A list item: what is selected, viewed, shared and deleted in it is told to `on`.
export function card(media, isSelected, on) {
  const name = nameOf(media);
  const isPicture = Boolean(media.metadata) && media.status !== "failed";
  const item = make("li", { className: "card" });
  item.dataset.id = media.id;
  item.append(isPicture ? preview(media, () => on.view(media)) : make("p", { className: "file" }, kind(media)));
  if (isPicture) {
    const select = make("input", { type: "checkbox", checked: isSelected, ariaLabel: `Select ${name}` });
    select.addEventListener("change", () => on.select(media, select.checked));
    item.append(make("label", { className: "pick" }, select));
  }
  const about = make("div", { className: "about" }, make("p", { className: "name", title: name }, name));
  for (const line of summary(media)) about.append(make("p", { className: "fact" }, line));
  item.append(about, actions(media, name, isPicture, on));
  return item;
}

function preview(media, view) {
  const open = make("button", { type: "button", className: "open", ariaLabel: `View ${nameOf(media)}` });
  if (media.status === "processing") {
    open.ariaBusy = "true";
    open.append(make("span", { className: "note" }, "being prepared …"));
  } else {
    const image = make("img", { src: media.urls.thumbnail, alt: "", width: 200, height: 200, loading: "lazy" });
    image.addEventListener("error", () => image.replaceWith(make("span", { className: "note" }, "no preview")));
    open.append(image);
  }
  open.addEventListener("click", view);
  return open;
}

function actions(media, name, isPicture, on) {
  const button = (text, act) => {
    const made = make("button", { type: "button", ariaLabel: `${text} ${name}` }, text);
    made.addEventListener("click", () => act(media));
    return made;
  };
  const row = make("div", { className: "actions" });
  if (isPicture) row.append(button("Share", on.share));
  else row.append(make("a", { href: media.urls.original, ariaLabel: `Save ${name}` }, "Save"));
  row.append(button("Delete", on.remove));
  return row;
}

/// What a file is that is no picture.
function kind(media) {
  return media.status === "failed" ? "broken picture" : media.mimeType.split(";")[0];
}

function summary({ metadata, size, exif }) {
  const lines = [];
  const pixels = metadata ? `${metadata.width} × ${metadata.height} · ` : "";
  lines.push(pixels + bytes(size));
  const camera = cameraOf(exif);
  if (camera) lines.push(camera);
  return lines;
}

/// All that is known, as pairs, for the light box.
export function facts({ metadata, size, exif = {}, createdAt }) {
  const degrees = [exif.gpsLatitude, exif.gpsLongitude].filter(Boolean).map((text) => Number(text).toFixed(4));
  const place = degrees.length === 2 && `${degrees.join(", ")} (only you see this)`;
  const exposure = [
    exif.exposureTime && `${exif.exposureTime} s`,
    exif.aperture && `f/${exif.aperture}`,
    exif.focalLength,
    exif.iso && `ISO ${exif.iso}`,
  ];
  return [
    ["Size", `${metadata.width} × ${metadata.height}, ${bytes(size)}, ${metadata.format?.toUpperCase() ?? "picture"}`],
    ["Camera", cameraOf(exif)],
    ["Taken", exif.dateTaken?.slice(0, 16).replace("T", " ")],
    ["Exposure", exposure.filter(Boolean).join(", ")],
    ["Place", place],
    ["Uploaded", new Date(createdAt).toLocaleString()],
  ].filter(([, text]) => text);
}

function cameraOf(exif = {}) {
  return [exif.cameraMake, exif.cameraModel].filter(Boolean).join(" ");
}

function bytes(count) {
  if (count < 1e3) return `${count} bytes`;
  const [unit, size] = count < 1e6 ? ["kB", count / 1e3] : ["MB", count / 1e6];
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}
