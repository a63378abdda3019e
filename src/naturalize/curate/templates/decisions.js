"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const { id, columns, images } = JSON.parse(find("data").textContent);
  const cards = [...find("cards").children];
  const store = `naturalize decisions ${id}`;
  const keys = { k: "keep", d: "drop", r: "relabel", g: "group" };
  const parts = cards.map((card) => ({
    label: card.querySelector("select.label"),
    group: card.querySelector("input.group"),
    note: card.querySelector("input.note"),
  }));
  const first = [];

  const choice = (i) => cards[i].querySelector("input[type=radio]:checked").value;

  // The row of decisions.csv an image has now.
  const row = (i) => {
    const decision = choice(i), typed = parts[i].group.value;
    const apart = decision === "group" || (decision !== "drop" && typed !== images[i].group);
    return {
      path: images[i].path,
      decision,
      label: decision === "relabel" ? parts[i].label.value : "",
      group: apart ? typed : "",
      note: parts[i].note.value,
    };
  };
  const proposed = (i) => ({
    path: images[i].path,
    decision: images[i].proposed,
    label: "",
    group: images[i].proposed === "group" ? images[i].group : "",
    note: "",
  });
  const same = (one, other) => columns.every((name) => one[name] === other[name]);
  const told = (i) => !images[i].locked && (images[i].decided || !same(row(i), proposed(i)));
  const changed = (i) => !images[i].locked && !same(row(i), first[i]);
  const wrong = (i) => {
    const { decision, label, group } = row(i);
    return (decision === "relabel" && !label) || (decision === "group" && !group);
  };

  // RFC 4180: quotes round what holds a comma, a quote or a new line; quotes doubled.
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const line = (cells) => cells.map(quoted).join(",") + "\r\n";
  const table = () => {
    const rows = images.map((_, i) => i).filter(told).map(row);
    return line(columns) + rows.map((r) => line(columns.map((name) => r[name]))).join("");
  };

  const say = () => {
    const shown = cards.filter((card) => !card.hidden).length;
    const count = images.filter((_, i) => told(i)).length;
    find("said").textContent = `${shown} of ${cards.length} images shown; ${count} decided`;
  };
  const remember = () => {
    try {
      const kept = images.map((_, i) => i).filter(changed).map((i) => [i, row(i)]);
      localStorage.setItem(store, JSON.stringify(kept));
    } catch { /* a browser that keeps nothing for local files */ }
  };
  const dress = (i) => {
    const names = ["card", choice(i)];
    if (changed(i)) names.push("changed");
    cards[i].className = names.join(" ");
    parts[i].label.classList.remove("wrong");
    parts[i].group.classList.remove("wrong");
  };
  const choose = (i, value) => {
    if (images[i].locked) return;
    cards[i].querySelector(`input[value=${value}]`).checked = true;
    dress(i);
  };
  const put = (i, decided) => {
    parts[i].label.value = decided.label;
    parts[i].group.value = decided.group || images[i].group;
    parts[i].note.value = decided.note;
    choose(i, decided.decision);
  };
  const recall = () => {
    try {
      for (const [i, decided] of JSON.parse(localStorage.getItem(store) || "[]")) put(i, decided);
    } catch { /* as above */ }
  };

  const filter = () => {
    const [label, kind, decision] = ["by-class", "by-kind", "by-choice"].map((name) => find(name).value);
    const name = find("by-name").value.toLowerCase();
    cards.forEach((card, i) => {
      const { path, label: own, kinds } = images[i];
      card.hidden =
        (label && own !== label) ||
        (kind && !kinds.includes(kind)) ||
        (decision === "changed" ? !changed(i) : decision && choice(i) !== decision) ||
        !path.toLowerCase().includes(name);
    });
    say();
  };
  const step = (i, by) => {
    let next = i + by;
    while (cards[next] && cards[next].hidden) next += by;
    if (!cards[next]) return;
    const radio = cards[next].querySelector("input[type=radio]:checked");
    cards[next].scrollIntoView({ block: "nearest" });
    (images[next].locked ? cards[next] : radio).focus();
  };
  const place = (node) => {
    const card = node.closest(".card");
    return card ? Number(card.id.slice(1)) : -1;
  };

  const download = () => {
    const lacking = images.map((_, i) => i).filter((i) => told(i) && wrong(i));
    if (lacking.length) {
      const at = lacking[0], field = choice(at) === "relabel" ? parts[at].label : parts[at].group;
      for (const part of lacking) cards[part].hidden = false;
      field.classList.add("wrong");
      field.focus();
      find("said").textContent = `${lacking.length} still need a class or a group`;
      return;
    }
    const text = table();
    find("csv").value = text;
    find("as-text").hidden = false;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = "decisions.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  images.forEach((_, i) => first.push(row(i)));
  recall();
  for (const small of document.querySelectorAll("img[data-of]")) {
    const large = cards[Number(small.dataset.of)].querySelector(".picture img");
    if (large) {
      small.loading = "lazy";
      small.src = large.src;
      small.hidden = false;
    }
  }
  find("cards").addEventListener("input", (event) => {
    dress(place(event.target));
    remember();
    say();
  });
  find("cards").addEventListener("keydown", (event) => {
    const i = place(event.target), typing = event.target.matches("select, input:not([type=radio])");
    if (i < 0 || typing || event.ctrlKey || event.altKey || event.metaKey) return;
    const key = event.key.toLowerCase();
    if (key === "n" || key === "p") step(i, key === "n" ? 1 : -1);
    else if (key in keys) {
      choose(i, keys[key]);
      remember();
      say();
    } else return;
    event.preventDefault();
  });
  for (const button of document.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => {
      cards.forEach((card, i) => {
        if (!card.hidden && button.dataset.all) choose(i, button.dataset.all);
        else if (!card.hidden) put(i, proposed(i));
      });
      remember();
      say();
    });
  }
  find("desk").addEventListener("submit", (event) => event.preventDefault());
  for (const name of ["by-class", "by-kind", "by-choice", "by-name"]) {
    find(name).addEventListener("input", filter);
  }
  find("download").addEventListener("click", download);
  find("bar").hidden = false;
  say();
})();
