SUMMARY = "LwM2M device agent for embedded Linux"
DESCRIPTION = "LwM2M client that runs as a confined service: firmware updates that are verified, tried out and rolled \
               back, configuration and device management over CoAP"
SECTION = "net"
LICENSE = "MIT"
CVE_PRODUCT = "lwm2m-agent"
LIC_FILES_CHKSUM = "file://LICENSE;md5=e797860da6ada84b3ef0e77307bc4db9"

# `npm run package` makes it, with all code in one file: nothing is fetched while the image is built.
SRC_URI = "file://lwm2m-agent-${PV}-image.tar.gz"

S = "${UNPACKDIR}/lwm2m-agent-${PV}"

inherit bash-completion systemd useradd

USERADD_PACKAGES = "${PN}"
USERADD_PARAM:${PN} = "--system --no-create-home --home-dir /nonexistent --shell /sbin/nologin --user-group lwm2m-agent"

SYSTEMD_SERVICE:${PN} = "lwm2m-agent.service lwm2m-agent-helper.socket"
# Nothing is said to anyone before there is a configuration.
SYSTEMD_AUTO_ENABLE = "disable"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    cp -R --no-dereference --preserve=mode,links ${S}/root/. ${D}/
    chown -R root:root ${D}
}

FILES:${PN} += "${prefix}/lib/lwm2m-agent ${systemd_system_unitdir} ${datadir}/polkit-1 ${prefix}/lib/sysusers.d"

CONFFILES:${PN} = "${sysconfdir}/lwm2m-agent/agent.yaml"

RDEPENDS:${PN} = "nodejs"
RRECOMMENDS:${PN} = "polkit"
