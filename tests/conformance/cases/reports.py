"""What we write for the tools of others: JUnit's XML and the files of continuous integrations, as others judge them."""

import json
import subprocess
import sys
from pathlib import Path

import xmlschema

from harness.check import equal, has
from harness.registry import case

from .both_ways import TOPOLOGY, Home

EXAMPLES = Path(__file__).parents[3] / "examples" / "ci"

#: The elements and attributes that Jenkins, GitLab and GitHub's readers of JUnit's XML agree on. A suite has its
#: properties first, then its cases; a case has one outcome at most, then what it wrote.
SCHEMA = """<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">
  <xs:simpleType name="seconds">
    <xs:restriction base="xs:string"><xs:pattern value="[0-9]+(\\.[0-9]{1,3})?"/></xs:restriction>
  </xs:simpleType>
  <xs:complexType name="outcome">
    <xs:simpleContent>
      <xs:extension base="xs:string">
        <xs:attribute name="message" type="xs:string"/>
        <xs:attribute name="type" type="xs:string"/>
      </xs:extension>
    </xs:simpleContent>
  </xs:complexType>
  <xs:element name="testcase">
    <xs:complexType>
      <xs:sequence>
        <xs:choice minOccurs="0">
          <xs:element name="skipped" type="outcome"/>
          <xs:element name="error" type="outcome"/>
          <xs:element name="failure" type="outcome"/>
        </xs:choice>
        <xs:element name="system-out" type="xs:string" minOccurs="0"/>
        <xs:element name="system-err" type="xs:string" minOccurs="0"/>
      </xs:sequence>
      <xs:attribute name="name" type="xs:string" use="required"/>
      <xs:attribute name="classname" type="xs:string" use="required"/>
      <xs:attribute name="time" type="seconds" use="required"/>
    </xs:complexType>
  </xs:element>
  <xs:element name="testsuite">
    <xs:complexType>
      <xs:sequence>
        <xs:element name="properties" minOccurs="0">
          <xs:complexType>
            <xs:sequence>
              <xs:element name="property" maxOccurs="unbounded">
                <xs:complexType>
                  <xs:attribute name="name" type="xs:string" use="required"/>
                  <xs:attribute name="value" type="xs:string" use="required"/>
                </xs:complexType>
              </xs:element>
            </xs:sequence>
          </xs:complexType>
        </xs:element>
        <xs:element ref="testcase" maxOccurs="unbounded"/>
      </xs:sequence>
      <xs:attribute name="name" type="xs:string" use="required"/>
      <xs:attribute name="tests" type="xs:nonNegativeInteger" use="required"/>
      <xs:attribute name="failures" type="xs:nonNegativeInteger" use="required"/>
      <xs:attribute name="errors" type="xs:nonNegativeInteger" use="required"/>
      <xs:attribute name="disabled" type="xs:nonNegativeInteger"/>
      <xs:attribute name="skipped" type="xs:nonNegativeInteger"/>
      <xs:attribute name="time" type="seconds" use="required"/>
    </xs:complexType>
  </xs:element>
  <xs:element name="testsuites">
    <xs:complexType>
      <xs:sequence><xs:element ref="testsuite" maxOccurs="unbounded"/></xs:sequence>
      <xs:attribute name="name" type="xs:string"/>
      <xs:attribute name="tests" type="xs:nonNegativeInteger"/>
      <xs:attribute name="failures" type="xs:nonNegativeInteger"/>
      <xs:attribute name="errors" type="xs:nonNegativeInteger"/>
      <xs:attribute name="time" type="seconds"/>
    </xs:complexType>
  </xs:element>
</xs:schema>
"""


def wrongs(text):
    """What a report has that the schema does not allow, and sums that are not those of its parts."""
    schema = xmlschema.XMLSchema(SCHEMA)
    found = [f"{error.path}: {error.reason}" for error in schema.iter_errors(text)]
    whole = xmlschema.XMLResource(text).root
    suites = whole.findall("testsuite")
    for suite in suites:
        cases = suite.findall("testcase")
        counted = {"tests": len(cases), "failures": sum(case.find("failure") is not None for case in cases)}
        found += [f"{suite.get('name')}: {name}" for name, count in counted.items() if int(suite.get(name)) != count]
    for name in ("tests", "failures", "errors"):
        if int(whole.get(name)) != sum(int(suite.get(name)) for suite in suites):
            found.append(f"the sum of {name}")
    return found


def smoke(home, *words):
    """What a quick smoke writes; a control plane alone has no chatroom, so that checks fail."""
    report = home.folder / "report.xml"
    command = [str(home.program), "smoke", "--quick", *words, "--junit", str(report), str(TOPOLOGY)]
    kept = {"PATH": "/usr/bin:/bin", "HOME": str(home.folder), "XDG_CONFIG_HOME": str(home.folder), "NO_COLOR": "1"}
    ended = subprocess.run(command, env=kept, cwd=home.folder, capture_output=True, text=True, timeout=100)
    return ended.returncode, report.read_text()


@case
def junit_s_xml_is_as_its_readers_want_it(stage):
    with Home(stage) as home:
        for hosts, code in (("process", 0), ("none", 4)):
            ended, text = smoke(home, "--hosts", hosts)
            equal(f"exit code with hosts {hosts}", ended, code)
            equal(f"what is wrong with hosts {hosts}", wrongs(text), [])
            has(f"the phases with hosts {hosts}", text, 'name="empty plan" classname="albatross.smoke"')
        has("a failure", text, "<failure message=")


@case
def a_report_that_is_not_as_they_want_it_is_seen(_):
    good = (
        '<testsuites tests="1" failures="0" errors="0"><testsuite name="a" tests="1" failures="0" errors="0" time="1.000">'
        '<testcase name="b" classname="c" time="1.000"/></testsuite></testsuites>'
    )
    equal("a good one", wrongs(good), [])
    for part, other in (
        ('<testcase name="b" ', "<testcase "),
        ('tests="1" failures="0" errors="0" time', 'tests="2" failures="0" errors="0" time'),
        ('time="1.000"/>', 'time="1 s"/>'),
        ('time="1.000"/>', 'time="1.000"><failed/></testcase>'),
    ):
        assert good.count(part) == 1, part
        assert wrongs(good.replace(part, other)), other


@case
def the_files_of_continuous_integrations_are_as_their_schemas_want_them(_):
    judge = [sys.executable, "-m", "check_jsonschema", "--output-format", "json", "--builtin-schema"]
    for schema, name in ((["vendor.github-workflows"], "github.yml"), (["vendor.gitlab-ci", "--data-transform", "gitlab-ci"], "gitlab.yml")):
        judged = subprocess.run([*judge, *schema, str(EXAMPLES / name)], capture_output=True, text=True, timeout=60)
        equal(f"the verdict on {name}", (judged.returncode, json.loads(judged.stdout)["status"]), (0, "ok"))
        broken = (EXAMPLES / name).read_text().replace("script:", "scripts:").replace("steps:", "stepps:")
        judged = subprocess.run([*judge, *schema, "-"], input=broken, capture_output=True, text=True, timeout=60)
        equal(f"the verdict on a broken {name}", judged.returncode, 1)
