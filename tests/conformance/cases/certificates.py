"""CAS: certificates; and the HTTPS listeners that use them."""

import hashlib
import ssl

from harness.build import forward
from harness.check import contains, equal, has, lacks, one
from harness.pem import pair
from harness.refusals import code_of
from harness.registry import case
from harness.waiting import wait_for


def upload(stage, name="example.com", **more):
    """A new certificate for a name: its number and its PEM."""
    certificate, key = pair(name)
    new = {"Name": stage.build.name("cert"), "Cert": certificate, "Key": key} | more
    return stage("cas.UploadUserCertificate", **new)["CertId"], certificate


def fingerprint(certificate):
    """SHA-1 of a certificate, in hex, as consoles show it."""
    return hashlib.sha1(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def identifier(number):
    """A certificate as ALB names it."""
    return f"{number}-cn-hangzhou"


def https_listener(stage, number):
    """A running HTTPS listener with this certificate."""
    return stage.build.listener(ListenerProtocol="HTTPS", Certificates=[{"CertificateId": identifier(number)}])


@case
def a_certificate_is_uploaded_read_listed_and_deleted(stage):
    name = stage.build.name("cert")
    number, certificate = upload(stage, "shop.example.com", Name=name)
    read = stage("cas.GetUserCertificateDetail", CertId=number)
    contains("the certificate", read, {"Id": number, "Name": name, "Common": "shop.example.com", "Expired": False})
    equal("its PEM", read["Cert"].strip(), certificate.strip())
    equal("its fingerprint", read["Fingerprint"].replace(":", "").lower(), fingerprint(certificate))
    equal("its identifier", read["CertIdentifier"], identifier(number))
    hidden = stage("cas.GetUserCertificateDetail", CertId=number, CertFilter=True)
    assert not hidden.get("Key") and not hidden.get("Cert"), "CertFilter hides nothing"
    other = stage("cas.GetCertificateDetail", CertificateId=number)
    contains("told otherwise", other, {"CertificateId": number, "CertificateName": name, "CommonName": "shop.example.com"})
    equal("names", other["SubjectAlternativeNames"], ["shop.example.com", "www.shop.example.com"])
    orders = stage("cas.ListUserCertificateOrder", OrderType="UPLOAD", Keyword="shop.example.com")["CertificateOrderList"]
    contains("in the list", one("orders", orders), {"CertificateId": number, "Name": name, "Upload": True})
    stage("cas.DeleteUserCertificate", CertId=number)
    left = stage("cas.ListCertificates", Keyword="shop.example.com")["CertificateList"]
    lacks("certificates left", [one["CertificateName"] for one in left], name)
    equal("code of what is gone", code_of(lambda: stage("cas.GetUserCertificateDetail", CertId=number)), "NotFound")


@case
def a_certificate_is_in_the_other_list_too(stage):
    number, _ = upload(stage, "list.example.com")
    listed = stage("cas.ListCertificates", Keyword="list.example.com")["CertificateList"]
    contains("the certificate", one("certificates", listed), {"CertIdentifier": identifier(number), "CommonName": "list.example.com"})


@case
def an_https_listener_serves_a_certificate(stage):
    first, second = upload(stage)[0], upload(stage)[0]
    listener = https_listener(stage, first)
    shown = lambda: stage("Alb.GetListenerAttribute", ListenerId=listener)
    equal("its certificate", [one["CertificateId"] for one in shown()["Certificates"]], [identifier(first)])
    change = {"Certificates": [{"CertificateId": identifier(second)}], "DefaultActions": forward(stage.build.server_group())}
    stage("Alb.UpdateListenerAttribute", ListenerId=listener, **change)
    stage.build.listener_is(listener, "Running")
    equal("its new certificate", [one["CertificateId"] for one in shown()["Certificates"]], [identifier(second)])


@case
def more_certificates_join_a_listener_and_leave_it(stage):
    first, second = upload(stage)[0], upload(stage)[0]
    listener = https_listener(stage, first)

    def listed():
        found = stage("Alb.ListListenerCertificates", ListenerId=listener)["Certificates"]
        return {one["CertificateId"]: (one["IsDefault"], one["Status"]) for one in found}

    extra = [{"CertificateId": identifier(second)}]
    stage("Alb.AssociateAdditionalCertificatesWithListener", ListenerId=listener, Certificates=extra)
    both = {identifier(first): (True, "Associated"), identifier(second): (False, "Associated")}
    wait_for("both are Associated", lambda: listed() == both)
    stage.build.listener_is(listener, "Running")
    stage("Alb.DissociateAdditionalCertificatesFromListener", ListenerId=listener, Certificates=extra)
    wait_for("one is left", lambda: list(listed()) == [identifier(first)])
    has("certificates", list(listed()), identifier(first))
